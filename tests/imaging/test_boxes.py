import pytest

from bloodcell.imaging.boxes import Box, iou


def test_measures_of_a_box():
    box = Box(top=10, left=20, bottom=14, right=30)
    assert (box.height, box.width, box.area_px) == (4, 10, 40)
    assert box.centre == (12.0, 25.0)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Box(0, 0, 10, 10), 1.0),
        (Box(5, 5, 15, 15), 25 / 175),  # 5 * 5 shared; 100 + 100 - 25 in all
        (Box(0, 0, 10, 5), 0.5),  # half of it
        (Box(2, 2, 4, 4), 0.04),  # 4 of 100
        (Box(0, 10, 10, 20), 0.0),  # the ends are excluded, so these touch without sharing a pixel
        (Box(20, 0, 30, 10), 0.0),
        (Box(11, 11, 12, 12), 0.0),  # apart in both directions: two negative sides make no area
    ],
)
def test_iou(other, expected):
    box = Box(0, 0, 10, 10)
    assert iou(box, other) == pytest.approx(expected)
    assert iou(other, box) == pytest.approx(expected)
