import numpy as np
import pytest

from bloodcell.imaging.stain import Background, find_background, measure_optical_density

CLEAR = (200, 190, 210)


def field(dark_share=0.3, colour=CLEAR):
    """A clear slide of 100x100 whose left part is stained."""
    rgb = np.full((100, 100, 3), colour, np.uint8)
    rgb[:, : round(100 * dark_share)] = (120, 60, 130)
    return rgb


def test_background_is_the_clear_colour_and_its_share():
    background = find_background(field(dark_share=0.3))
    assert background.rgb == CLEAR
    assert background.share == pytest.approx(0.7)
    assert background.valid.all()


def test_background_is_found_beside_much_stain():
    background = find_background(field(dark_share=0.7))
    assert background.rgb == CLEAR
    assert background.share == pytest.approx(0.3)


def test_black_borders_are_not_valid_and_do_not_count():
    rgb = field(dark_share=0.0)
    rgb[:40] = 0
    background = find_background(rgb)
    assert background.rgb == CLEAR
    assert background.share == pytest.approx(1.0)  # of the valid part
    assert not background.valid[:41].any()  # one row more, where JPEG blurs the border
    assert background.valid[41:].all()


@pytest.mark.parametrize(("black_rows", "is_found"), [(0, True), (70, True), (85, False), (100, False)])
def test_no_background_where_four_fifths_are_black(black_rows, is_found):
    rgb = field()
    rgb[:black_rows] = 0
    assert (find_background(rgb) is not None) == is_found


def test_one_pixel():
    background = find_background(np.full((1, 1, 3), 180, np.uint8))
    assert background.rgb == (180, 180, 180)
    assert background.share == 1.0


def test_density_is_the_logarithm_of_what_is_absorbed():
    rgb = np.array([[[199, 99, 49], [199, 199, 199], [255, 255, 255]]], np.uint8)
    background = Background((199, 199, 199), 1.0, np.ones((1, 3), bool))
    # levels count from 1 to 256: 200 / 100 = 2, 200 / 50 = 4; brighter than the background absorbs nothing
    assert measure_optical_density(rgb, 0, background)[0] == pytest.approx([0, 0, 0], abs=1e-6)
    assert measure_optical_density(rgb, 1, background)[0] == pytest.approx([np.log(2), 0, 0], abs=1e-6)
    assert measure_optical_density(rgb, 2, background)[0] == pytest.approx([np.log(4), 0, 0], abs=1e-6)


def test_density_is_zero_in_black_borders():
    valid = np.array([[True, False]])
    density = measure_optical_density(np.full((1, 2, 3), 20, np.uint8), 1, Background((200, 200, 200), 1.0, valid))
    assert density[0, 0] > 2
    assert density[0, 1] == 0


def test_density_does_not_depend_on_the_lamp():
    """Half the light halves cell and background, so the density stays (but for rounding of levels)."""
    bright, dim = field(), (field().astype(float) / 2).astype(np.uint8)
    densities = [measure_optical_density(rgb, 1, find_background(rgb)) for rgb in (bright, dim)]
    assert densities[0] == pytest.approx(densities[1], abs=0.03)
