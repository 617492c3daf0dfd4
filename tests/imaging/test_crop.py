import cv2
import numpy as np
import pytest

from bloodcell.core.errors import ImageError
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import BACKGROUND_LEVEL, crop_cell, resize_image
from bloodcell.imaging.find import find_white_cells
from bloodcell.synthetic.gallery import draw_field

CLEAR = (200, 180, 220)
RED = (180, 30, 40)


def slide(height=100, width=100, colour=CLEAR):
    return np.full((height, width, 3), colour, np.uint8)


def test_context_sets_how_much_is_seen():
    """A red square of 20 px in a crop of 2 x 20 px fills the middle half."""
    rgb = slide()
    rgb[40:60, 40:60] = RED
    crop = crop_cell(rgb, Box(40, 40, 60, 60), side_px=40, context=2.0)
    assert crop.shape == (40, 40, 3)
    assert crop.dtype == np.uint8
    is_red = (crop == RED).all(axis=2)
    assert is_red[10:30, 10:30].all()
    assert is_red.sum() == 400


def test_the_longer_side_counts_and_the_cell_keeps_its_form():
    rgb = slide()
    rgb[45:55, 30:70] = RED  # 10 x 40
    crop = crop_cell(rgb, Box(45, 30, 55, 70), side_px=80, context=1.0)
    is_red = np.abs(crop.astype(int) - RED).max(axis=2) < 60  # more red than clear: resizing blurs the edge
    assert is_red.any(axis=0).all()
    assert is_red.any(axis=1).sum() == pytest.approx(20, abs=1)  # 10 of 40 px are 20 of 80


@pytest.mark.parametrize("seed", range(3))
def test_same_framing_at_two_resolutions(seed):
    field = draw_field(seed)
    half = cv2.resize(field.rgb, (320, 240), interpolation=cv2.INTER_AREA)
    (box,) = field.boxes
    half_box = Box(*(round(edge / 2) for edge in box))
    crops = [
        crop_cell(rgb, of_size, 64, 1.25, find_white_cells(rgb).background_rgb).astype(int)
        for rgb, of_size in ((field.rgb, box), (half, half_box))
    ]
    spread = crops[0].std()
    assert np.abs(crops[0] - crops[1]).mean() < 0.15 * spread


@pytest.mark.parametrize("lamp", [(1.0, 1.0, 1.0), (0.8, 0.8, 0.8), (1.0, 0.85, 0.7)])
def test_crops_look_alike_under_other_lamps(lamp):
    field = draw_field(2, stain=None)
    (box,) = field.boxes
    plain = crop_cell(field.rgb, box, 64, 1.25, find_white_cells(field.rgb).background_rgb)
    lit = np.round(field.rgb * lamp).astype(np.uint8)
    crop = crop_cell(lit, box, 64, 1.25, find_white_cells(lit).background_rgb)
    assert np.abs(plain.astype(int) - crop).mean() < 3


def test_background_comes_to_one_level_in_all_channels():
    crop = crop_cell(slide(), Box(40, 40, 60, 60), 32, 2.0, CLEAR)
    assert (crop == BACKGROUND_LEVEL).all()


def test_colours_stay_without_a_background():
    assert (crop_cell(slide(), Box(40, 40, 60, 60), 32, 2.0) == CLEAR).all()


@pytest.mark.parametrize(("background", "fill"), [(None, 255), (CLEAR, BACKGROUND_LEVEL)])
def test_outside_of_the_image_is_filled(background, fill):
    """A box in the corner with context 2: of the 40 px crop, 10 px above and left lie outside."""
    rgb = slide(colour=RED)
    crop = crop_cell(rgb, Box(0, 0, 20, 20), side_px=40, context=2.0, background_rgb=background)
    assert (crop[:10] == fill).all()
    assert (crop[:, :10] == fill).all()
    assert (crop[10:, 10:] != fill).any(axis=2).all()


def test_black_corners_of_a_rotation_are_filled_and_a_dark_nucleus_stays():
    rgb = slide()
    rows, cols = np.mgrid[:100, :100]
    rgb[rows + cols < 50] = 0  # a corner cut off by a rotation
    rgb[45:56, 45:56] = (15, 5, 20)  # a nucleus darker than the border level
    crop = crop_cell(rgb, Box(0, 0, 100, 100), 100, 1.0, CLEAR)
    assert crop[5, 5].tolist() == [BACKGROUND_LEVEL] * 3
    assert (crop[rows + cols < 47] == BACKGROUND_LEVEL).all()
    assert crop[50, 50].max() < 30


def test_one_pixel_cell():
    assert crop_cell(slide(), Box(5, 5, 6, 6), 32, 1.0).shape == (32, 32, 3)


@pytest.mark.parametrize(
    "box",
    [
        Box(50, 50, 50, 60),  # no rows
        Box(50, 60, 60, 50),  # right before left
        Box(100, 0, 120, 20),  # below
        Box(0, 100, 20, 120),
        Box(-20, 0, 0, 20),  # above
        Box(0, -20, 20, 0),
    ],
)
def test_a_box_outside_is_refused(box):
    with pytest.raises(ImageError, match=r"must lie in the image of 100 x 100 px\. Received: \("):
        crop_cell(slide(), box, 32, 1.0)


def test_a_wide_crop_holds_the_square_one_in_its_middle():
    rgb = np.random.default_rng(0).integers(0, 256, (80, 100, 3), np.uint8)
    box = Box(30, 40, 50, 60)  # 20 px: a square of 24, and 24x48
    square = crop_cell(rgb, box, 24, 1.2)
    wide = crop_cell(rgb, box, 24, 1.2, width_px=48)
    high = crop_cell(rgb, box, 48, 1.2, width_px=24)
    assert (wide.shape, high.shape) == ((24, 48, 3), (48, 24, 3))
    assert np.array_equal(wide[:, 12:36], square)
    assert np.array_equal(high[12:36], square)
    assert np.array_equal(wide, rgb[28:52, 26:74])


def test_a_whole_image_keeps_its_levels_and_loses_its_shape():
    rgb = np.repeat(np.arange(0, 200, 20, dtype=np.uint8), 4)[None, :, None].repeat(40, axis=0).repeat(3, axis=2)
    small = resize_image(rgb, 5, 10)
    assert small.shape == (5, 10, 3)
    assert small[2, :, 0].tolist() == list(range(0, 200, 20))
