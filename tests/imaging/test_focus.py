"""Sharpness of drawn fields: falls with blur, whatever the size and the lamp."""

import cv2
import numpy as np
import pytest

from bloodcell.imaging.focus import MIN_SHARPNESS, measure_sharpness
from bloodcell.synthetic.gallery import draw_field

FIELD = draw_field(1).rgb
RED_CELL_PX = 90.0


def test_a_sharp_field_is_and_a_blurred_one_is_not():
    assert measure_sharpness(FIELD, RED_CELL_PX) > 2 * MIN_SHARPNESS
    blurred = cv2.GaussianBlur(FIELD, (0, 0), RED_CELL_PX / 7)
    assert measure_sharpness(blurred, RED_CELL_PX) < MIN_SHARPNESS


def test_size_and_lamp_change_little():
    half = cv2.resize(FIELD, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    dim = (FIELD * 0.7).astype(np.uint8)
    sharp = measure_sharpness(FIELD, RED_CELL_PX)
    assert measure_sharpness(half, RED_CELL_PX / 2) == pytest.approx(sharp, rel=0.15)
    assert measure_sharpness(dim, RED_CELL_PX) == pytest.approx(sharp, rel=0.15)


def test_one_colour_has_no_detail():
    assert measure_sharpness(np.full((40, 50, 3), 200, np.uint8), RED_CELL_PX) < 1e-6
