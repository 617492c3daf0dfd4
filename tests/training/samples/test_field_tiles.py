"""Tiles: the boxes go along with the pixels, and the same numbers give the same tile."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from bloodcell.training.samples import field_tiles
from bloodcell.training.samples.field_samples import Field
from bloodcell.training.samples.field_tiles import (
    MIN_SIDE_PX,
    MIN_VISIBLE_SHARE,
    Tile,
    draw_tile,
    resize_field,
)
from bloodcell.training.specs.detector_spec import BoxSourceSpec, DetectorSpec

SOURCE = BoxSourceSpec("discs", "discs", "none")
SPEC = DetectorSpec("net", (SOURCE,), tile_px=128, stain=0.0)
GROUND, LEVELS = 230, (40, 80, 120)  # of the ground, and of the cells of each class
# What changes pixels without moving them, or lays something over them.
OVERLAYS = ("_NEGATIVE", "_NEIGHBOUR", "_GRAY", "_BAR", "_DISC", "_BLUR", "_NOISE", "_JPEG")


def draw_discs(seed=0, n_cells=24, source=0, height_px=300, width_px=360, classes=(0, 1, 2)):
    """A field of ellipses of known boxes that neither touch each other nor the edge."""
    rng = np.random.default_rng(seed)
    rgb = np.full((height_px, width_px, 3), GROUND, np.uint8)
    rows, cols = np.ogrid[:height_px, :width_px]
    boxes, class_index = [], []
    for _ in range(500):
        height, width = rng.integers(20, 56, 2)
        top, left = rng.integers(4, height_px - height - 4), rng.integers(4, width_px - width - 4)
        box = np.array([top, left, top + height, left + width], np.float32)
        if len(boxes) == n_cells or any(
            (box[:2] < one[2:] + 8).all() and (one[:2] < box[2:] + 8).all() for one in boxes
        ):
            continue
        own = classes[len(boxes) % len(classes)]
        away = ((rows + 0.5 - top - height / 2) / (height / 2)) ** 2 + (
            (cols + 0.5 - left - width / 2) / (width / 2)
        ) ** 2
        rgb[away < 1] = LEVELS[own]
        boxes.append(box)
        class_index.append(own)
    return Field(source, f"{seed}.png", rgb, np.array(boxes), np.array(class_index, np.int64), red_cell_px=50.4)


EMPTY = Field(
    0, "empty.png", np.full((90, 90, 3), 7, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64), 50.4
)


@pytest.fixture
def set_chances(monkeypatch):
    """No overlay but those named."""

    def change(**chances):
        for name in OVERLAYS:
            monkeypatch.setattr(field_tiles, f"{name}_CHANCE", chances.get(name, 0.0))

    return change


def find_whole_cells(rgb):
    """The boxes of dark spots that the edge of a tile does not cut; what lies outside the field does touch the edge."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((rgb[..., 0] < 175).astype(np.uint8))
    side = rgb.shape[0]
    boxes = np.array([[top, left, top + high, left + wide] for left, top, wide, high, _ in stats[1:]]).reshape(-1, 4)
    return boxes[(boxes[:, :2] > 0).all(axis=1) & (boxes[:, 2:] < side).all(axis=1)]


def test_boxes_go_along_with_the_pixels(set_chances):
    """Of 200 tiles: each whole cell has one box within 2 px, which has its class, and no other box lies inside."""
    set_chances()
    fields, rng = [draw_discs(seed) for seed in range(4)], np.random.default_rng(0)
    n_compared = 0
    for _ in range(200):
        tile = draw_tile(fields, SPEC, rng)
        inside = (tile.boxes[:, :2] > 2).all(axis=1) & (tile.boxes[:, 2:] < SPEC.tile_px - 2).all(axis=1)
        seen = find_whole_cells(tile.rgb)
        for box, class_index in zip(tile.boxes[inside], tile.class_index[inside], strict=True):
            assert np.abs(seen - box).max(axis=1, initial=0).min(initial=np.inf) <= 2
            row, col = ((box[:2] + box[2:]) / 2).astype(int)
            assert tile.rgb[row, col].tolist() == [LEVELS[class_index]] * 3
        for box in seen:
            assert (np.abs(tile.boxes - box).max(axis=1) <= 2).sum() == 1
        n_compared += len(seen)
    assert n_compared > 400


def test_a_cut_cell_keeps_the_box_of_what_shows(set_chances):
    """Boxes at the edge hold the dark pixels there, to 2 px, and no cell that shows half of itself is lost."""
    set_chances()
    fields, rng = [draw_discs(seed) for seed in range(4)], np.random.default_rng(1)
    n_cut = 0
    for _ in range(60):
        tile = draw_tile(fields, replace(SPEC, zoom=0.0), rng)
        is_cut = (tile.boxes[:, :2] == 0).any(axis=1) | (tile.boxes[:, 2:] == SPEC.tile_px).any(axis=1)
        for box, class_index in zip(tile.boxes[is_cut], tile.class_index[is_cut], strict=True):
            top, left, bottom, right = box.round().astype(int)
            level = tile.rgb[top:bottom, left:right, 0].astype(int)
            # an ellipse fills pi / 4 = 79 % of its box, and of a part of it at least a quarter
            assert (np.abs(level - LEVELS[class_index]) < 3).mean() > 0.25
            n_cut += 1
    assert n_cut > 60


@pytest.mark.parametrize(
    "overlay", [{}, {"_NEIGHBOUR": 1.0}, {"_DISC": 1.0}, {"_NEGATIVE": 1.0}, dict.fromkeys(OVERLAYS, 0.5)]
)
def test_every_tile_is_in_order(set_chances, overlay):
    set_chances(**overlay)
    fields, rng = [draw_discs(), draw_discs(1, n_cells=2, height_px=70, width_px=90), EMPTY], np.random.default_rng(2)
    for _ in range(40):
        tile = draw_tile(fields, replace(SPEC, stain=0.35), rng)
        assert (tile.rgb.shape, tile.rgb.dtype) == ((128, 128, 3), np.uint8)
        assert (tile.boxes.dtype, tile.class_index.dtype) == (np.float32, np.int64)
        assert tile.boxes.shape == (len(tile.class_index), 4)
        assert (tile.boxes >= 0).all()
        assert (tile.boxes <= 128).all()
        assert (tile.boxes[:, 2:] - tile.boxes[:, :2] >= MIN_SIDE_PX).all()
        assert set(tile.class_index.tolist()) <= {0, 1, 2}


def test_the_same_seed_gives_the_same_tile():
    fields = [draw_discs(seed) for seed in range(3)]
    tiles = [draw_tile(fields, DetectorSpec("net", (SOURCE,)), np.random.default_rng(seed)) for seed in (5, 5, 6)]
    assert np.array_equal(tiles[0].rgb, tiles[1].rgb)
    assert np.array_equal(tiles[0].boxes, tiles[1].boxes)
    assert not np.array_equal(tiles[0].rgb, tiles[2].rgb)


def test_a_field_is_left_as_it_was():
    field = draw_discs()
    before = field.rgb.copy(), field.boxes.copy()
    for seed in range(20):
        draw_tile([field], replace(SPEC, stain=0.35), np.random.default_rng(seed))
    assert np.array_equal(field.rgb, before[0])
    assert np.array_equal(field.boxes, before[1])


def test_a_field_without_cells_gives_tiles_without_boxes(set_chances):
    set_chances()
    assert len(draw_tile([EMPTY], SPEC, np.random.default_rng(0)).boxes) == 0


def test_the_drawn_cell_lies_in_its_tile(set_chances):
    """A field of one cell: every tile shows it, as it is laid around the cell."""
    set_chances()
    fields = [draw_discs(3, n_cells=1)]
    assert all(len(draw_tile(fields, SPEC, np.random.default_rng(seed)).boxes) == 1 for seed in range(40))


def test_an_image_of_something_else_has_no_boxes(set_chances):
    set_chances(_NEGATIVE=1.0)
    tile = draw_tile([draw_discs()], SPEC, np.random.default_rng(0))
    assert (tile.boxes.shape, tile.class_index.shape) == ((0, 4), (0,))


def test_without_variation_of_the_stain_the_levels_stay(set_chances):
    set_chances()
    field = draw_discs()
    varied = draw_tile([field], replace(SPEC, stain=0.35), np.random.default_rng(0)).rgb
    plain = draw_tile([field], SPEC, np.random.default_rng(0)).rgb
    assert np.ptp(plain, axis=2).max() == 0  # the field is grey
    assert np.ptp(varied, axis=2).max() > 0


def make_tile(level, *boxes):
    rgb = np.full((80, 80, 3), level, np.uint8)
    return Tile(rgb, np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), level, np.int64))


class Draws:
    """Stands for a generator that gives what it is told."""

    def __init__(self, share, axis):
        self.share, self.axis = share, axis

    def uniform(self, *_):
        return self.share

    def integers(self, *_):
        return self.axis


def test_two_fields_side_by_side_are_cut_at_the_seam():
    """The seam at column 40: a box of columns 30 to 50 keeps half of itself, one of 37 to 47 has 3 of 10 px, 30 %."""
    left = make_tile(1, (0, 0, 20, 20), (10, 30, 30, 50), (50, 38, 70, 48), (60, 60, 70, 70))
    right = make_tile(2, (0, 60, 20, 80), (30, 37, 50, 57), (30, 22, 50, 42))
    joined = field_tiles._join(left, right, Draws(0.5, axis=1))
    assert (joined.rgb[:, :40] == 1).all()
    assert (joined.rgb[:, 40:] == 2).all()
    assert joined.class_index.tolist() == [1, 1, 2, 2]
    # 38 to 48 keeps 2 of 10 px and 22 to 42 has 2 of 20 beyond the seam: too little of either
    assert joined.boxes.tolist() == [[0, 0, 20, 20], [10, 30, 30, 40], [0, 60, 20, 80], [30, 40, 50, 57]]


def test_two_fields_one_above_the_other():
    joined = field_tiles._join(make_tile(1, (0, 0, 20, 20)), make_tile(2, (70, 0, 80, 9)), Draws(0.25, axis=0))
    assert (joined.rgb[:20] == 1).all()
    assert (joined.rgb[20:] == 2).all()
    assert joined.boxes.tolist() == [[0, 0, 20, 20], [70, 0, 80, 9]]


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        ((10, 10, 30, 30), [10, 10, 30, 30]),
        ((-10, 10, 10, 30), [0, 10, 10, 30]),  # half of it
        ((-14, 10, 6, 30), [0, 10, 6, 30]),  # 6 of 20 px: exactly 30 %
        ((-14.5, 10, 5.5, 30), None),
        ((-10, 70, 10, 90), None),  # a quarter, in the corner
        ((-5, 10, 3.5, 30), None),  # 3.5 px are too few
        ((90, 10, 110, 30), None),
    ],
)
def test_cells_of_which_less_than_a_third_shows_are_background(box, kept):
    assert (MIN_VISIBLE_SHARE, MIN_SIDE_PX) == (0.3, 4)
    tile = field_tiles._keep_visible(np.zeros((80, 80, 3), np.uint8), np.array([box], float), np.array([1]))
    assert tile.boxes.tolist() == ([] if kept is None else [kept])


def test_behind_an_eyepiece_no_cell_is_labelled(set_chances):
    set_chances(_DISC=1.0)
    fields, n_dark = [draw_discs(seed) for seed in range(4)], 0
    for seed in range(60):
        tile = draw_tile(fields, SPEC, np.random.default_rng(seed))
        n_dark += (tile.rgb < 20).all(axis=2).any()
        for box in tile.boxes:
            row, col = np.minimum((box[:2] + box[2:]) / 2, SPEC.tile_px - 1).astype(int)
            assert tile.rgb[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2].max() >= 20
    assert n_dark > 30


def test_a_field_is_resized_by_its_red_cells():
    """Red cells of 50.4 px become 25.2 px: the half of 300 x 360 px, and of each box."""
    field = draw_discs()
    rgb, boxes = resize_field(field, 25.2)
    assert (rgb.shape, rgb.dtype) == ((150, 180, 3), np.uint8)
    assert boxes == pytest.approx(field.boxes / 2)
    same, boxes = resize_field(field, 50.4)
    assert np.array_equal(same, field.rgb)
    assert np.array_equal(boxes, field.boxes)
    large, boxes = resize_field(field, 100.8)
    assert large.shape == (600, 720, 3)
    assert boxes == pytest.approx(field.boxes * 2)


def test_a_resized_field_has_one_pixel_or_more():
    rgb, boxes = resize_field(replace(EMPTY, red_cell_px=1e6), 16)
    assert (rgb.shape, boxes.shape) == ((1, 1, 3), (0, 4))


def count_draws(fields, *weights):
    """Shares of the sources, and of the classes, in 600 draws; a share has a standard error of 0.02."""
    sources = tuple(replace(SOURCE, name=str(number), weight=weight) for number, weight in enumerate(weights))
    spec, rng = replace(SPEC, box_sources=sources), np.random.default_rng(0)
    drawn = [field_tiles._draw_field(fields, spec, rng) for _ in range(600)]
    of_source = np.bincount([field.source for field, _ in drawn], minlength=len(weights)) / 600
    of_class = np.bincount([field.class_index[number] for field, number in drawn], minlength=3) / 600
    return of_source, of_class


@pytest.mark.parametrize(("weights", "share"), [((1.0, 1.0), 0.5), ((3.0, 1.0), 0.75)])
def test_a_source_of_few_fields_is_drawn_by_its_weight(weights, share):
    fields = [draw_discs(0)] + [draw_discs(seed, source=1) for seed in range(1, 10)]
    assert count_draws(fields, *weights)[0] == pytest.approx([share, 1 - share], abs=0.08)


def test_a_class_that_few_fields_show_is_drawn_as_often_as_the_others():
    fields = [draw_discs(0)] + [draw_discs(seed, classes=(0, 1)) for seed in range(1, 10)]
    assert count_draws(fields, 1.0)[1] == pytest.approx([1 / 3] * 3, abs=0.08)


def test_a_class_that_no_field_shows_is_not_drawn():
    of_class = count_draws([draw_discs(seed, classes=(1, 2)) for seed in range(3)], 1.0)[1]
    assert of_class[0] == 0
    assert of_class == pytest.approx([0, 1 / 2, 1 / 2], abs=0.08)


def test_a_source_whose_fields_are_all_held_out_is_made_up_for_by_the_others():
    of_source, _ = count_draws([draw_discs(seed, source=1) for seed in range(3)], 1.0, 1.0)
    assert of_source.tolist() == [0, 1]
