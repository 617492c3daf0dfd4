import cv2
import numpy as np
import pytest

from bloodcell.core.errors import ImageError
from bloodcell.imaging.find import find_white_cells, mask_white_cells
from bloodcell.imaging.segment import METHODS, decode_true_mask, dice, measure_area_share, segment_cell
from bloodcell.synthetic.gallery import draw_field


def mask(*marked, n=8):
    row = np.zeros((1, n), bool)
    row[0, list(marked)] = True
    return row


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (mask(0, 1, 2), mask(1, 2, 3, 4, 5), 0.5),  # 2 * 2 / (3 + 5)
        (mask(0, 1), mask(0, 1), 1.0),
        (mask(0), mask(1), 0.0),
        (mask(), mask(1), 0.0),
        (mask(), mask(), 1.0),
    ],
)
def test_dice(a, b, expected):
    assert dice(a, b) == dice(b, a) == expected


def test_dice_takes_masks_of_one_shape_only():
    with pytest.raises(ImageError, match=r"bool arrays of the same shape. Received: bool \(1, 8\) and bool \(1, 9\)"):
        dice(mask(), mask(n=9))
    with pytest.raises(ImageError, match=r"Received: uint8"):
        dice(mask().astype(np.uint8), mask())


def three_levels(*values):
    return np.repeat(np.array([values], np.uint8)[..., None], 3, axis=2)


def test_true_mask_tells_nucleus_and_cell():
    truth = decode_true_mask(three_levels(0, 128, 255, 255))
    assert truth.nucleus.tolist() == [[False, False, True, True]]
    assert truth.cell.tolist() == [[False, True, True, True]]


def test_a_mask_of_two_values_is_the_whole_cell():
    truth = decode_true_mask(three_levels(0, 255, 255))
    assert truth.nucleus is None
    assert truth.cell.sum() == 2


@pytest.mark.parametrize("wrong", [three_levels(0, 7, 255), three_levels(0, 0), np.array([[[0, 128, 255]]], np.uint8)])
def test_other_images_are_no_masks(wrong):
    with pytest.raises(ImageError, match="must have only the values 0, 128 and 255"):
        decode_true_mask(wrong)


def test_every_method_marks_a_drawn_nucleus_and_no_black_border():
    rgb = draw_field(3, 1, 240, 320, scale=0.5).rgb
    rgb[:, :20] = 0
    masks = segment_cell(rgb)
    assert list(masks) == list(METHODS)
    (box,) = find_white_cells(rgb).boxes
    for name, one in masks.items():
        assert (one.dtype, one.shape) == (bool, (240, 320))
        assert not one[:, :21].any(), name
        assert one[box.top : box.bottom, box.left : box.right].any(), name


def test_area_counts_what_is_lit_only():
    rgb = np.full((10, 10, 3), 200, np.uint8)
    rgb[:, :4] = 0  # 4 columns black, the fifth blurred: 50 pixels are lit
    marked = np.zeros((10, 10), bool)
    marked[:5, 9] = True
    assert measure_area_share(marked, rgb) == pytest.approx(5 / 50)
    assert measure_area_share(marked, np.zeros((10, 10, 3), np.uint8)) == 0.0


@pytest.mark.parametrize("level", [0, 120, 255])
def test_an_image_of_one_colour_holds_no_cell(level):
    masks = segment_cell(np.full((30, 40, 3), level, np.uint8))
    for name in ("otsu_green_less_blue", "otsu_all_densities", "finder_nucleus", "finder_cell"):
        assert not masks[name].any()
    assert masks["otsu_gray"].all() == (level > 0)


def test_finder_masks_fill_its_boxes():
    for seed in range(4):
        rgb = draw_field(seed, 2, 480, 640).rgb
        found, masks = find_white_cells(rgb), mask_white_cells(rgb)
        assert masks.cell[masks.nucleus].all()
        inside = np.zeros(rgb.shape[:2], bool)
        for box in found.boxes:
            window = np.s_[box.top : box.bottom, box.left : box.right]
            assert masks.nucleus[window].any()
            assert 0.3 < masks.cell[window].mean() <= 1.0
            inside[window] = True
        assert not (masks.cell & ~inside).any()


def test_finder_nucleus_is_a_drawn_disc():
    rgb = np.full((120, 120, 3), (235, 235, 235), np.uint8)
    disc = cv2.circle(np.zeros((120, 120), np.uint8), (60, 60), 25, 1, -1) > 0
    rgb[disc] = (90, 40, 150)
    masks = mask_white_cells(rgb)
    assert dice(masks.nucleus, disc) > 0.97
    assert dice(masks.cell, disc) > 0.9


def test_wrong_arrays_are_refused():
    for function in (segment_cell, mask_white_cells):
        with pytest.raises(ImageError, match="must be uint8 of shape"):
            function(np.zeros((4, 4), np.uint8))
