import functools
import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np
import pytest

from bloodcell.core.errors import ImageError
from bloodcell.imaging.boxes import Box, iou
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import read_rgb
from bloodcell.synthetic.cells import STAINS
from bloodcell.synthetic.gallery import draw_field
from tests.places import SHARED_DATA

DATA = SHARED_DATA

SEEDS_NEAR_THE_MIDDLE = (3, 5, 6, 16)  # of fields that keep their cell when turned about the middle
SIZES = [(480, 640, 1.0), (240, 320, 0.5), (360, 360, 0.6), (120, 120, 0.45)]


@functools.cache
def plain_field(seed):
    """Draw a field of one cell once for all tests that show it in another way; its pixels are not to be written to."""
    field = draw_field(seed)
    field.rgb.flags.writeable = False
    return field


def holds_centre(box, truth):
    row, col = truth.centre
    return box.top <= row < box.bottom and box.left <= col < box.right


def best(boxes, truth):
    return max((iou(box, truth) for box in boxes), default=0.0)


@pytest.mark.parametrize(("height_px", "width_px", "scale"), SIZES)
def test_one_cell_is_found_at_every_size(height_px, width_px, scale):
    overlaps = []
    for seed in range(8):
        field = draw_field(seed, 1, height_px, width_px, scale=scale)
        finding = find_white_cells(field.rgb)
        assert finding.is_smear
        assert finding.reason == ""
        assert len(finding.boxes) == 1, seed
        assert holds_centre(finding.boxes[0], field.boxes[0])
        overlaps.append(iou(finding.boxes[0], field.boxes[0]))
    assert np.mean(np.array(overlaps) >= 0.5) >= 0.8
    assert min(overlaps) >= 0.4


@pytest.mark.parametrize("height_px", [480, 240])
def test_three_cells_are_found_apart(height_px):
    met = []
    for seed in range(8):
        field = draw_field(seed, 3, height_px, height_px * 4 // 3, scale=height_px / 600)
        boxes = find_white_cells(field.rgb).boxes
        assert len(boxes) == 3, seed
        assert boxes == tuple(sorted(boxes))
        for truth in field.boxes:
            assert sum(holds_centre(box, truth) for box in boxes) == 1
            met.append(best(boxes, truth) >= 0.5)
    assert np.mean(met) >= 0.8


@pytest.mark.parametrize("stain", STAINS)
def test_red_cells_and_platelets_alone_are_no_white_cell(stain):
    for seed in range(4):
        finding = find_white_cells(draw_field(seed, 0, stain=stain, n_platelets=2).rgb)
        assert finding.is_smear
        assert finding.boxes == ()


@pytest.mark.parametrize("stain", STAINS)
@pytest.mark.parametrize("class_name", ["EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL"])
def test_each_class_is_found_under_each_stain(stain, class_name):
    field = draw_field(11, 1, stain=stain, class_names=[class_name])
    (box,) = find_white_cells(field.rgb).boxes
    assert holds_centre(box, field.boxes[0])


def test_boxes_lie_in_the_image():
    for seed in range(6):
        field = draw_field(seed, 1, 120, 120, scale=0.6)
        for box in find_white_cells(field.rgb).boxes:
            assert 0 <= box.top < box.bottom <= 120
            assert 0 <= box.left < box.right <= 120


@pytest.mark.parametrize("seed", SEEDS_NEAR_THE_MIDDLE)
@pytest.mark.parametrize("angle", [20, 45])
def test_black_borders_of_a_rotation_do_not_matter(seed, angle):
    field = plain_field(seed)
    (truth,) = field.boxes
    turn = cv2.getRotationMatrix2D((320, 240), angle, 1.0)
    turned = cv2.warpAffine(field.rgb, turn, (640, 480), borderValue=(0, 0, 0))
    col, row = turn @ (truth.centre[1], truth.centre[0], 1)
    assert 0 < row < 480
    assert 0 < col < 640
    boxes = find_white_cells(turned).boxes
    assert len(boxes) == 1
    assert holds_centre(boxes[0], Box(int(row), int(col), int(row) + 1, int(col) + 1))


@pytest.mark.parametrize("lamp", [(0.75, 0.75, 0.75), (1.0, 0.92, 0.82), (0.85, 0.95, 1.0)])
@pytest.mark.parametrize("seed", range(3))
def test_brightness_and_lamp_colour_do_not_matter(lamp, seed):
    field = plain_field(seed)
    plain = find_white_cells(field.rgb)
    lit = find_white_cells(np.round(field.rgb * lamp).astype(np.uint8))
    assert len(lit.boxes) == len(plain.boxes) == 1
    assert iou(lit.boxes[0], plain.boxes[0]) > 0.85
    expected = np.array(plain.background_rgb) * lamp
    assert lit.background_rgb == pytest.approx(tuple(expected), abs=2)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_same_field_in_another_resolution_gives_the_same_box(factor):
    """A field of up to 640 px is searched on a copy of one size, so the box only scales."""
    field = draw_field(4, 1, 240, 320)
    resized = cv2.resize(field.rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    (box,) = find_white_cells(field.rgb).boxes
    (other,) = find_white_cells(resized).boxes
    assert iou(box, Box(*(round(edge / factor) for edge in other))) > 0.85


@pytest.mark.parametrize("stain", STAINS)
def test_background_is_the_colour_of_the_clear_slide(stain):
    field = draw_field(1, 1, stain=stain)
    assert find_white_cells(field.rgb).background_rgb == pytest.approx(STAINS[stain].background, abs=8)


@pytest.mark.parametrize("shape", [(480, 640), (16, 16), (3, 3), (1, 1), (1, 1000), (2000, 3)])
def test_blank_images_of_any_size_hold_no_cell(shape):
    for level in (255, 200):
        finding = find_white_cells(np.full((*shape, 3), level, np.uint8))
        assert finding.boxes == ()
        assert finding.is_smear


@pytest.mark.parametrize("shape", [(480, 640), (1, 1)])
def test_a_black_image_is_no_smear(shape):
    finding = find_white_cells(np.zeros((*shape, 3), np.uint8))
    assert not finding.is_smear
    assert finding.boxes == ()
    assert "almost black" in finding.reason


def test_a_dark_image_is_no_smear():
    finding = find_white_cells(np.full((100, 100, 3), 60, np.uint8))
    assert not finding.is_smear
    assert "no bright background" in finding.reason


def test_an_uneven_image_is_no_smear():
    """Loud noise has no even background: no colour takes a twentieth of it."""
    rgb = np.random.default_rng(0).integers(26, 256, (160, 160, 3), dtype=np.uint8)
    rgb = cv2.resize(rgb, (640, 640), interpolation=cv2.INTER_NEAREST)
    finding = find_white_cells(rgb)
    assert not finding.is_smear
    assert "no even background" in finding.reason


@pytest.mark.parametrize(
    "rgb",
    [
        np.zeros((20, 20, 3), np.float32),
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((20, 20, 3), np.uint16),
        np.zeros((0, 20, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(rgb):
    with pytest.raises(ImageError, match=r"must be uint8 of shape \(H, W, 3\).* Received: \w+ \("):
        find_white_cells(rgb)


def bccd_fields(every):
    """(image, WBC boxes) of every n-th field of bccd."""
    folder = DATA / "bccd"
    if not folder.is_dir():
        pytest.skip(f"no real fields at {folder}; set BLOODCELL_DATA to a folder that holds bccd")
    for path in sorted((folder / "Annotations").glob("*.xml"))[::every]:
        root = ElementTree.parse(path).getroot()
        boxes = [
            Box(*(int(entry.findtext(f"bndbox/{edge}")) for edge in ("ymin", "xmin", "ymax", "xmax")))
            for entry in root.iter("object")
            if entry.findtext("name") == "WBC"
        ]
        yield read_rgb((folder / "JPEGImages" / f"{path.stem}.jpg").read_bytes()), boxes


@pytest.mark.data
def test_bars_on_real_fields():
    """A ninth of bccd; the bars on all of it are measured by benchmarks/measure_finder.py."""
    centres, met, false, n_fields = [], [], 0, 0
    for rgb, truths in bccd_fields(every=9):
        boxes = find_white_cells(rgb).boxes
        n_fields += 1
        centres += [any(holds_centre(box, truth) for box in boxes) for truth in truths]
        met += [best(boxes, truth) >= 0.5 for truth in truths]
        false += sum(all(iou(box, truth) < 0.1 for truth in truths) for box in boxes)
    assert n_fields >= 40
    assert np.mean(centres) >= 0.99
    assert np.mean(met) >= 0.95
    assert false / n_fields <= 0.03
