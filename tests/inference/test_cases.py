"""Fields that were read wrongly once (../shared/cases): the right values, with the shipped detector."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.detector import Detector
from bloodcell.inference.field_finder import FieldFinder, make_batch_finder
from bloodcell.inference.pipeline import find_cells
from bloodcell.model_store.detectors import SHIPPED_DETECTOR
from bloodcell.synthetic.gallery import draw_field
from tests.places import SHARED_DATA

CASES = SHARED_DATA.parent / "cases"


@pytest.fixture(scope="module")
def detector():
    return Detector(SHIPPED_DETECTOR)


def read_case(*names) -> Iterator[bytes]:
    for name in names:
        path = CASES / name
        if not path.is_file():
            pytest.skip(f"the shared cases are absent: no {path}")
        yield path.read_bytes()


def find(detector, images):
    finder, _, images = make_batch_finder(detector, images)
    return list(find_cells(images, finder))


def test_stitched_fields_keep_their_cells(detector):
    three, five = find(detector, read_case("01-stitched-field/grid_3x3.jpg", "01-stitched-field/grid_5x5.jpg"))
    assert len(three.cells) == 9
    assert 25 <= len(five.cells) <= 27


def test_a_scale_bar_of_any_colour_hides_no_cell_and_is_none(detector):
    names = [f"02-blue-scale-bar/bar_{colour}.jpg" for colour in ("black", "blue", "magenta")]
    boxes = [[cell.box for cell in result.cells] for result in find(detector, read_case(*names))]
    assert [len(of_image) for of_image in boxes] == [1, 1, 1]
    middles = np.array([of_image[0].centre for of_image in boxes])
    assert np.ptp(middles, axis=0).max() < 30  # the same cell, of 150 px


def test_a_gray_field_keeps_its_cell(detector):
    (result,) = find(detector, read_case("04-gray-picture/gray.jpg"))
    assert len(result.cells) == 1


def test_an_overexposed_field_says_so(detector):
    dark, bright = find(detector, read_case("05-exposure/gain_0.45.png", "05-exposure/gain_2.0.png"))
    assert dark.cells
    assert bright.cells or "overexposed" in bright.message


# The same on drawn fields, which are always there


@pytest.fixture(scope="module")
def drawn():
    return [draw_field(seed, n_white=2) for seed in range(9)]


def count_hits(found, true):
    def holds(box: Box, other: Box) -> bool:
        row, col = other.centre
        return box.top <= row < box.bottom and box.left <= col < box.right

    return sum(any(holds(box, other) for other in found) for box in true)


def test_drawn_fields_stitched_keep_their_cells(detector, drawn):
    rgb = np.concatenate([np.concatenate([field.rgb for field in drawn[row : row + 3]], axis=1) for row in (0, 3, 6)])
    true = [
        Box(
            box.top + number // 3 * 480,
            box.left + number % 3 * 640,
            box.bottom + number // 3 * 480,
            box.right + number % 3 * 640,
        )
        for number, field in enumerate(drawn)
        for box in field.boxes
    ]
    finder, _, _ = make_batch_finder(detector, [cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()])
    assert count_hits(finder.find(rgb).white_cells, true) >= 17  # of 18


def test_a_blue_bar_on_a_drawn_field_changes_nothing(detector, drawn):
    finder = FieldFinder(detector, 90.0)
    plain = finder.find(drawn[0].rgb)
    barred = drawn[0].rgb.copy()
    barred[450:465, 430:610] = (20, 20, 220)
    assert count_hits(finder.find(barred).white_cells, plain.white_cells) == len(plain.white_cells)
    assert len(finder.find(barred).white_cells) == len(plain.white_cells)


def test_an_image_of_another_scale_in_a_batch_is_seen_at_its_own(detector, drawn):
    finder = FieldFinder(detector, 90.0)
    small = cv2.resize(drawn[0].rgb, (320, 240), interpolation=cv2.INTER_AREA)
    field = finder.find(np.asarray(small, np.uint8))
    assert field.is_own_scale
    assert field.red_cell_px == pytest.approx(finder.find(drawn[0].rgb).red_cell_px / 2, rel=0.25)


def test_nothing_to_see_is_said(detector):
    white = read_rgb(cv2.imencode(".png", np.full((480, 640, 3), 254, np.uint8))[1].tobytes())
    (result,) = find(detector, [cv2.imencode(".png", white)[1].tobytes()])
    assert (result.status, result.cells) == ("no white cell", ())
    assert "It is overexposed: 100% of it is pure white" in result.message
