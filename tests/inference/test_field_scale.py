"""The scale of an image from its red cells, and of a batch from its images."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell.inference.detections import Detections
from bloodcell.inference.field_scale import (
    MIN_RED_CELLS,
    PEEK_PX,
    RED_CELL_UM,
    SEARCHED_PX,
    BatchScale,
    ScaleMeasurement,
    agree_scale,
    measure_scale,
    select_whole_red_cells,
)

NAMES = ("WBC", "RBC", "PLATELET")


class DiscDetector:
    """Finds every dark disc by its pixels, but like a trained detector only those near the size that it is told."""

    model = SimpleNamespace(red_cell_px=36.0, class_names=NAMES)

    def __init__(self, class_index=1, bias=0.0):
        self.class_index, self.bias, self.seen = class_index, bias, []

    def detect(self, rgb, red_cell_px):
        self.seen.append((red_cell_px, rgb.shape[:2]))
        _, _, stats, _ = cv2.connectedComponentsWithStats((rgb[..., 0] < 128).astype(np.uint8))
        boxes = np.array([[top, left, top + high, left + wide] for left, top, wide, high, _ in stats[1:]], np.float32)
        boxes = boxes.reshape(-1, 4)
        found = Detections(boxes, np.full(len(boxes), self.class_index), np.ones(len(boxes), np.float32))
        found = found.select(np.abs(np.log(found.measure_diameters() / red_cell_px)) < 0.45)
        # A network sees cells a little as large as those that it knows.
        factor = (red_cell_px / found.measure_diameters()[:, None]) ** self.bias
        middles, halves = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2, (found.boxes[:, 2:] - found.boxes[:, :2]) / 2
        boxes = np.concatenate([middles - factor * halves, middles + factor * halves], axis=1)
        return Detections(boxes, found.class_index, found.score)


def draw_grid(diameter, side_px=900, gap=1.3):
    """Dark discs in rows and columns, the first cut by no edge."""
    rgb = np.full((side_px, side_px, 3), 230, np.uint8)
    step = gap * diameter
    for row in np.arange(0.6 * step, side_px, step):
        for col in np.arange(0.6 * step, side_px, step):
            cv2.circle(rgb, (round(col), round(row)), round(diameter / 2), (60, 60, 60), -1)
    return rgb


@pytest.mark.parametrize("diameter", [12, 16, 18, 28, 44, 70, 112, 160])
def test_red_cells_of_any_size_are_measured(diameter):
    """Among them those in the middle between two sizes that are looked for, such as 28 between 22 and 35."""
    measured = measure_scale(DiscDetector(), draw_grid(diameter))
    assert measured.red_cell_px == pytest.approx(diameter, abs=1.5)
    assert measured.n_red_cells >= MIN_RED_CELLS


@given(st.floats(12, 165))
def test_the_sizes_looked_for_lie_close_enough(diameter):
    """Each cell is near one of them: the steps of 1.6 are 0.47 in the logarithm, half of it to either side."""
    assert min(abs(np.log(diameter / px)) for px in SEARCHED_PX) < 0.25


def test_cells_that_are_cut_do_not_count():
    """Four rows and columns of 200 px: of 5 x 5 discs the last row and column are cut."""
    rgb = draw_grid(40, side_px=240, gap=1.25)
    assert measure_scale(DiscDetector(), rgb).n_red_cells == 16


@pytest.mark.parametrize(("n_cells", "is_known"), [(0, False), (4, False), (5, True)])
def test_some_red_cells_are_needed(n_cells, is_known):
    rgb = np.full((300, 300, 3), 230, np.uint8)
    for number in range(n_cells):
        cv2.circle(rgb, (40 + 50 * number, 150), 18, (60, 60, 60), -1)
    measured = measure_scale(DiscDetector(), rgb)
    assert (measured is not None) == is_known
    assert not is_known or measured == ScaleMeasurement(37, 5)  # 2 * 18 + 1 px


def test_a_first_measurement_is_measured_again():
    """Cells of 45 px; told 35, a detector with a bias of 0.3 says 45 * (35 / 45) ** 0.3 = 41.7, told that 44.0."""
    measured = measure_scale(DiscDetector(bias=0.3), draw_grid(44))
    assert measured.red_cell_px == pytest.approx(45, rel=0.02)


def test_the_size_that_covers_most_of_the_image_is_that_of_the_red_cells():
    """Spots of dirt of 13 px, every 22 px between the red cells of 73 px, are taken for small red cells.

    The part that is looked at for 14 px has 124 px: more spots there on less room, and yet they cover less.
    """
    rgb = draw_grid(72, gap=1.6)
    for row in range(10, 890, 22):
        for col in range(10, 890, 22):
            if rgb[row - 9 : row + 10, col - 9 : col + 10].min() > 200:
                cv2.circle(rgb, (col, row), 6, (60, 60, 60), -1)
    spots = DiscDetector().detect(rgb[388:512, 388:512], 14)
    assert select_whole_red_cells(spots, NAMES, 124, 124).sum() >= MIN_RED_CELLS
    assert measure_scale(DiscDetector(), rgb).red_cell_px == pytest.approx(73, abs=1)


def test_white_cells_have_no_say():
    assert measure_scale(DiscDetector(class_index=0), draw_grid(40)) is None


def test_only_a_part_in_the_middle_is_looked_at():
    """320 px at the scale of the detector: where red cells of 18 px are looked for, 160 px; never more than there is."""
    detector = DiscDetector()
    measure_scale(detector, draw_grid(18))
    assert all(shape == (int(PEEK_PX * px / 36),) * 2 or shape == (900, 900) for px, shape in detector.seen)
    assert max(shape for px, shape in detector.seen if px < 20) <= (180, 180)
    small = DiscDetector()
    measure_scale(small, draw_grid(18)[:100, :300])
    assert max(shape[0] for _, shape in small.seen) == 100


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (16, 16)])
def test_tiny_images_have_no_scale(shape):
    assert measure_scale(DiscDetector(), np.full((*shape, 3), 230, np.uint8)) is None


def test_whole_red_cells_are_those_that_no_edge_cuts():
    """An image of 100 x 120 px: boxes must be more than a pixel away from each edge."""
    boxes = [
        (2, 2, 40, 40),
        (1, 2, 40, 40),
        (2, 1, 40, 40),
        (60, 80, 98, 118),
        (60, 80, 99, 118),
        (60, 80, 98, 119),
        (30, 30, 60, 60),
    ]
    classes = np.array([1, 1, 1, 1, 1, 1, 0])
    found = Detections(np.array(boxes, np.float32), classes, np.ones(7, np.float32))
    assert select_whole_red_cells(found, NAMES, 100, 120).tolist() == [True, False, False, True, False, False, False]
    assert select_whole_red_cells(found, ("RBC", "WBC"), 100, 120).tolist() == [False] * 6 + [True]


def measured(*diameters):
    return [None if px is None else ScaleMeasurement(px, 9) for px in diameters]


@pytest.mark.parametrize(
    ("diameters", "agreed"),
    [
        ((), None),
        ((None, None), None),
        ((30,), BatchScale(30, 1, 0)),
        ((None, 30, None), BatchScale(30, 1, 0)),
        ((30, 30, 30), BatchScale(30, 3, 0)),
        ((30, 34), BatchScale(32, 2, 1 / 32)),  # quartiles 31 and 33: half of 2 over 32
        ((10, 20, 30, 40, 500), BatchScale(30, 5, 10 / 30)),  # quartiles 20 and 40
    ],
)
def test_images_agree_on_their_median(diameters, agreed):
    assert agree_scale(measured(*diameters)) == agreed


@given(st.lists(st.floats(5, 200), min_size=1, max_size=9), st.randoms())
def test_the_order_of_the_images_is_irrelevant_and_one_odd_image_among_many_is_too(diameters, random):
    agreed = agree_scale(measured(*diameters))
    assert min(diameters) <= agreed.red_cell_px <= max(diameters)
    shuffled = random.sample(diameters, len(diameters))
    assert agree_scale(measured(*shuffled)) == agreed
    assert agree_scale(measured(36, 36, 36, diameters[0])).red_cell_px == 36


def test_micrometres_follow_from_the_size_of_a_red_cell():
    assert RED_CELL_UM == 7.5
    assert BatchScale(30, 1, 0).um_per_px == 0.25
