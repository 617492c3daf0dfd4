"""Images for the pages: sizes, boxes, masks."""

import numpy as np
import pytest

from bloodcell.imaging.boxes import Box
from bloodcell.plots import cell_images, theme
from bloodcell.plots.cell_images import crop_close_up, draw_boxes, fit_inside, render_mask


def blank(height, width, value=200):
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize(
    ("size", "longest", "shortest", "expected"),
    [
        ((100, 200), 400, 0, (100, 200)),  # fits: stays
        ((100, 200), 50, 0, (25, 50)),
        ((100, 200), 400, 300, (150, 300)),
        ((1, 1000), 100, 0, (1, 100)),
    ],
)
def test_fit_inside(size, longest, shortest, expected):
    image, scale = fit_inside(blank(*size), longest, shortest)
    assert image.shape == (*expected, 3)
    assert scale == pytest.approx(max(expected) / max(size))


def test_field_with_boxes_draws_the_chosen_box_in_colour_and_the_other_one_dark():
    field = draw_boxes(blank(400, 600), [Box(50, 60, 150, 160), Box(200, 300, 300, 400)], chosen=0, longest_px=600)
    assert field.shape == (400, 600, 3)
    assert tuple(field[100, 60]) == theme.OUTLINE_RGB
    assert tuple(field[250, 300]) == theme.OTHER_OUTLINE_RGB
    assert tuple(field[350, 500]) == (200, 200, 200)


def test_field_with_boxes_leaves_the_original_alone():
    rgb = blank(400, 600)
    draw_boxes(rgb, [Box(50, 60, 150, 160)], chosen=0, longest_px=600)
    assert (rgb == 200).all()


def test_field_with_boxes_scales_the_boxes_with_the_field():  # 1200 wide to 600: column 120 becomes 60
    field = draw_boxes(blank(800, 1200), [Box(100, 120, 300, 320)], chosen=0, longest_px=600)
    assert tuple(field[100, 60]) == theme.OUTLINE_RGB


def test_field_with_boxes_without_a_chosen_one():
    field = draw_boxes(blank(400, 600), [Box(50, 60, 150, 160)], chosen=None, longest_px=600)
    assert tuple(field[100, 60]) == theme.OTHER_OUTLINE_RGB


def test_close_up_is_a_square_around_the_box():  # side 1.5 * 40 = 60 around (50, 50)
    rgb = blank(100, 100)
    rgb[50, 50] = 0
    cut = crop_close_up(rgb, Box(30, 35, 70, 65), context=1.5)
    assert cut.shape == (60, 60, 3)
    assert tuple(cut[30, 30]) == (0, 0, 0)


def test_close_up_ends_at_the_edge_of_the_image():  # columns -20..40 become 0..40
    assert crop_close_up(blank(100, 100), Box(30, 0, 70, 20), context=1.5).shape == (60, 40, 3)


def test_close_up_of_a_large_cell_is_shrunk():
    assert crop_close_up(blank(900, 900), Box(150, 150, 750, 750), context=1.2, longest_px=240).shape == (240, 240, 3)


def test_mask_image_shows_marked_pixels_black():
    image = render_mask(np.array([[True, False]]))
    assert image.tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_contact_sheet_and_gray():
    rgb = np.full((10, 20, 3), (255, 0, 0), np.uint8)
    sheet = cell_images.build_contact_sheet([rgb] * 3, n_columns=2, side_px=20, gap_px=4)
    assert sheet.shape == (44, 44, 3)
    assert sheet[10, 10].tolist() == [255, 0, 0]
    assert sheet[34, 34].tolist() == [255, 255, 255]
    assert cell_images.build_contact_sheet([], 4, side_px=20).shape == (20, 20, 3)
    assert cell_images.render_gray(rgb)[0, 0].tolist() == [76, 76, 76]  # 0.299 * 255


def test_an_outline_leaves_the_image_as_it_was():
    rgb = np.full((40, 40, 3), 200, np.uint8)
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    drawn = cell_images.draw_outline(rgb, mask, 80)
    assert drawn.shape == (80, 80, 3)
    assert drawn[20, 40].tolist() == list(theme.OUTLINE_RGB)
    assert (rgb == 200).all()


def test_an_image_is_padded_to_the_middle_of_a_white_square():
    padded = cell_images.pad_to_square(blank(10, 20), 40)  # enlarged to 20 x 40, with 10 rows of white above and below
    assert padded.shape == (40, 40, 3)
    assert (padded[:10] == 255).all()
    assert (padded[30:] == 255).all()
    assert (padded[10:30] == 200).all()
