from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from bloodcell.core.errors import ImageError, SpecError, StoppedError
from bloodcell.imaging.large_image import LargeImage, open_large_image
from bloodcell.imaging.read import MAX_PIXELS
from bloodcell.inference.detections import Detections
from bloodcell.inference.detector import SEAM_PX, TILE_PX
from bloodcell.inference.field_scale import ScaleMeasurement
from bloodcell.inference.large_detection import (
    MAX_RED_CELL_PX,
    MAX_WINDOW_PX,
    MIN_RED_CELL_PX,
    detect_large,
    measure_large_scale,
)

# At 8 px the factor is 36 / 8 = 4.5: windows of up to 1024 / 4.5 - 3 = 224.6 px, of which 128 / 4.5 = 28.4 px on each side
# are overlap, so cores of up to 167.7 px. Along 600 px are 600 / 167.7 = 3.6, so 4 cores of 150 px.
CELL_PX, SIDE_PX, CORE_PX = 8, 600, 150
SEAM = SEAM_PX / 4.5  # 1.8 px


class DiscFinder:
    """Stands in for a detector: dark discs by a threshold, in `noise_px` of their place, otherwise in each window."""

    model = SimpleNamespace(red_cell_px=36.0, class_names=("WBC", "RBC", "PLATELET"), exclusive=(0, 1))

    def __init__(self, noise_px: float = 0.0) -> None:
        self.noise_px = noise_px
        self.rng = np.random.default_rng(0)
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, rgb, red_cell_px):
        self.shapes.append(rgb.shape)
        _, _, stats, _ = cv2.connectedComponentsWithStats((rgb[..., 1] < 128).astype(np.uint8))
        left, top, width, height = stats[1:, :4].T
        boxes = np.stack([top, left, top + height, left + width], axis=1).astype(np.float32)
        boxes += np.tile(self.rng.uniform(-self.noise_px, self.noise_px, (len(boxes), 2)).astype(np.float32), 2)
        score = self.rng.uniform(0.5, 1, len(boxes)).astype(np.float32)
        order = np.argsort(-score)
        return Detections(boxes, np.ones(len(boxes), np.int64), score).select(order)


def discs(centres, height_px: int = SIDE_PX, width_px: int = SIDE_PX, diameter_px: int = CELL_PX) -> np.ndarray:
    """Dark discs with an odd diameter, one px more than was asked for if that is even."""
    rgb = np.full((height_px, width_px, 3), 230, np.uint8)
    for row, col in centres:
        cv2.circle(rgb, (int(col), int(row)), diameter_px // 2, (200, 60, 60), -1)
    return rgb


def in_memory(rgb: np.ndarray) -> LargeImage:
    return LargeImage(rgb.shape[:2], rgb.shape[:2], lambda row, col: rgb, lambda: None)


def middles(found: Detections) -> np.ndarray:
    """Row and column of the centre of each cell, from the upper left one on."""
    values = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - 0.5
    return values[np.lexsort(values.T[::-1])]


def grid(step: int, side_px: int = SIDE_PX) -> list[tuple[int, int]]:
    return [(row, col) for row in range(step, side_px - 5, step) for col in range(step, side_px - 5, step)]


# Each cell once


def test_discs_on_the_seams_and_their_crossings_are_found_once():
    lines = (CORE_PX, 2 * CORE_PX, 3 * CORE_PX)
    centres = [(row, col) for row in (75, *lines) for col in (40, *lines)]  # 4 x 4
    found = detect_large(DiscFinder(), in_memory(discs(centres)), CELL_PX)
    assert middles(found).tolist() == [list(centre) for centre in sorted(centres)]
    assert set(found.class_index.tolist()) == {1}


@pytest.mark.parametrize("shift", range(-6, 7))
def test_a_disc_is_found_once_wherever_it_lies_about_a_seam(shift):
    centres = [(CORE_PX + shift, CORE_PX + shift), (300 + shift, 220), (220, 450 + shift)]
    found = detect_large(DiscFinder(), in_memory(discs(centres)), CELL_PX)
    assert sorted(map(tuple, middles(found).astype(int).tolist())) == sorted(centres)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_windows_that_see_a_centre_in_different_places_still_count_it_once(seed):
    """Two differ by up to 2 * 0.6 = 1.2 px in each direction, so by 1.2 * 1.41 = 1.7 px, less than the seam of 1.8 px."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, 5, (len(grid(12)), 2))
    centres = np.array(grid(12)) + steps  # 12 - 4 = 8 px at least between two centres of discs of 7 px
    found = detect_large(DiscFinder(noise_px=0.6), in_memory(discs(centres, diameter_px=6)), CELL_PX)
    assert len(found) == count_apart(centres)


def count_apart(centres: np.ndarray) -> int:
    """Count the connected discs: two that touch are one for the stand-in, in any window."""
    rgb = discs(centres, diameter_px=6)
    return cv2.connectedComponents((rgb[..., 1] < 128).astype(np.uint8))[0] - 1


def test_of_a_cell_at_a_seam_the_better_box_remains():
    finder = DiscFinder(noise_px=0.4)
    found = detect_large(finder, in_memory(discs([(CORE_PX, CORE_PX)])), CELL_PX)
    scores = np.random.default_rng(0)  # four windows see it; each draws two numbers for the place, then the score
    drawn = [scores.uniform(-0.4, 0.4, (1, 2)).tolist() and scores.uniform(0.5, 1, 1)[0] for _ in range(4)]
    assert found.score.tolist() == pytest.approx([max(drawn)])


def test_a_white_and_a_red_cell_at_a_seam_are_one_cell():
    class Undecided(DiscFinder):
        """White in the first window, red in the other three."""

        def detect(self, rgb, red_cell_px):
            found = super().detect(rgb, red_cell_px)
            return Detections(found.boxes, np.full(len(found), min(len(self.shapes) - 1, 1)), found.score)

    found = detect_large(Undecided(), in_memory(discs([(CORE_PX, CORE_PX)])), CELL_PX)
    assert len(found) == 1


def test_a_platelet_on_a_white_cell_at_a_seam_remains():
    class OneOfThem(DiscFinder):
        """Sees the white cell in the first window, the platelet in the other three."""

        def detect(self, rgb, red_cell_px):
            found = super().detect(rgb, red_cell_px)
            return Detections(found.boxes, np.full(len(found), 0 if len(self.shapes) == 1 else 2), found.score)

    found = detect_large(OneOfThem(), in_memory(discs([(CORE_PX, CORE_PX)])), CELL_PX)
    assert sorted(found.class_index.tolist()) == [0, 2]


def test_two_cells_that_one_window_tells_apart_remain_two():
    """Their centres are 1.5 px apart, less than the seam of 1.8 px, but either window has both."""

    class Pairs(DiscFinder):
        def detect(self, rgb, red_cell_px):
            found = super().detect(rgb, red_cell_px)
            moved = found.boxes + np.array([0, 1.5, 0, 1.5], np.float32)
            boxes = np.concatenate([found.boxes, moved])
            return Detections(boxes, np.ones(len(boxes), np.int64), np.tile(found.score, 2))

    assert len(detect_large(Pairs(), in_memory(discs([(75, CORE_PX)])), CELL_PX)) == 2


def test_cells_that_the_edge_of_the_image_cuts_are_found():
    centres = [(0, 0), (0, 300), (599, 599), (300, 599)]
    assert len(detect_large(DiscFinder(), in_memory(discs(centres)), CELL_PX)) == 4


def test_the_best_come_first():
    found = detect_large(DiscFinder(), in_memory(discs(grid(20))), CELL_PX)
    assert len(found) == len(grid(20)) == 29 * 29
    assert (np.diff(found.score) <= 0).all()


def test_an_image_without_cells_gives_no_detections():
    found = detect_large(DiscFinder(), in_memory(discs([])), CELL_PX)
    assert (len(found), found.boxes.shape) == (0, (0, 4))


def test_an_image_of_one_window_gives_what_the_detector_gives():
    rgb = discs(grid(20, 200), 200, 200)
    found, expected = detect_large(DiscFinder(), in_memory(rgb), CELL_PX), DiscFinder().detect(rgb, CELL_PX)
    assert np.array_equal(found.boxes, expected.boxes)
    assert np.array_equal(found.score, expected.score)


def test_a_tiff_is_searched_and_a_damaged_tile_costs_its_own_cells_alone(tmp_path):
    path, centres = tmp_path / "smear.tif", [(row, col) for row, col in grid(32) if row % 64 and col % 64]
    tifffile.imwrite(path, discs(centres), tile=(64, 64), photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].dataoffsets[12]  # 10 tiles a row: rows 64 to 128, columns 128 to 192
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"damaged")
    with open_large_image(path) as large:
        found = detect_large(DiscFinder(), large, CELL_PX)
        assert [problem[:4] for problem in large.problems] == [(64, 128, 64, 64)]
    assert len(centres) == 9 * 9  # (32, 96, .., 544) squared, one in the middle of each tile
    assert len(found) == len(centres) - 1


# Work


@settings(max_examples=150)
@given(st.integers(1, 6), st.integers(0, 2), st.floats(MIN_RED_CELL_PX, MAX_RED_CELL_PX))
def test_a_window_is_one_tile_of_the_detector_and_is_read_at_flat_memory(n_cores, more_px, red_cell_px):
    """Of heights that leave least room: whole numbers of the largest cores, of 1024 - 2 * 128 = 768 px."""
    finder, height_px = DiscFinder(), int(n_cores * 768 * red_cell_px / 36) + more_px
    detect_large(finder, in_memory(np.full((height_px, 40, 3), 230, np.uint8)), red_cell_px)
    assert max(max(shape[:2]) for shape in finder.shapes) <= min(TILE_PX * red_cell_px / 36, MAX_WINDOW_PX)


def test_the_largest_window_is_a_region_that_can_be_read():
    assert MAX_WINDOW_PX**2 == 16_777_216 < MAX_PIXELS == 50_000_000


def test_progress_is_told_after_each_window():
    told = []
    detect_large(DiscFinder(), in_memory(discs([])), CELL_PX, lambda *values: told.append(values))
    assert told == [(number, 16) for number in range(1, 17)]  # 4 x 4 windows


def test_it_stops_before_the_next_window():
    finder = DiscFinder()
    with pytest.raises(StoppedError, match=r"stopped after 3 of 16 windows; nothing was kept\."):
        detect_large(finder, in_memory(discs([])), CELL_PX, None, lambda: len(finder.shapes) == 3)
    assert len(finder.shapes) == 3


def test_it_goes_on_while_it_shall_not_stop():
    assert len(detect_large(DiscFinder(), in_memory(discs([(50, 50)])), CELL_PX, None, lambda: False)) == 1


@pytest.mark.parametrize("red_cell_px", [0.0, -8.0, 7.99, 240.1, float("nan")])
def test_a_scale_out_of_range_is_refused(red_cell_px):
    with pytest.raises(SpecError, match=r"Red cells must have 8 to 240 px in diameter\. Received: "):
        detect_large(DiscFinder(), in_memory(discs([])), red_cell_px)


def test_a_file_that_fails_is_an_error():
    def fail(row, col):
        raise OSError(5, "Input/output error")

    with pytest.raises(ImageError, match="can no longer be read"):
        detect_large(DiscFinder(), LargeImage((600, 600), (600, 600), fail, lambda: None), CELL_PX)


# Scale


def smear(diameters: dict[tuple[int, int], int], side_px: int = 3000) -> np.ndarray:
    """An image of equal quarters, each with discs of its own diameter, none where it is 0."""
    rgb, half = np.full((side_px, side_px, 3), 230, np.uint8), side_px // 2
    for (row, col), diameter in diameters.items():
        if diameter:
            centres = grid(2 * diameter, half)
            quarter = discs(centres, half, half, diameter)
            rgb[row * half : (row + 1) * half, col * half : (col + 1) * half] = quarter
    return rgb


def counted_reads(rgb: np.ndarray) -> tuple[LargeImage, list[tuple[int, int, int, int]]]:
    regions: list[tuple[int, int, int, int]] = []

    class Counted(LargeImage):
        def read_region(self, top, left, bottom, right):
            regions.append((top, left, bottom, right))
            return super().read_region(top, left, bottom, right)

    return Counted(rgb.shape[:2], rgb.shape[:2], lambda row, col: rgb, lambda: None), regions


def test_the_scale_is_the_diameter_of_the_red_cells():
    measured = measure_large_scale(DiscFinder(), in_memory(smear(dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], 40))))
    assert measured.red_cell_px == 41  # a disc of radius 20 has 20 + 1 + 20 px
    assert measured.n_red_cells >= 5


def test_regions_agree_by_their_median(monkeypatch):
    monkeypatch.setattr("bloodcell.inference.large_detection.REGION_PX", 1000)  # 3 x 3 regions of 1,000 px
    found = iter([40.0, 41.0, 42.0, None, 43.0, 90.0, None, 44.0, 39.0])
    monkeypatch.setattr(
        "bloodcell.inference.large_detection.measure_scale",
        lambda detector, rgb: None if (px := next(found)) is None else ScaleMeasurement(px, 10),
    )
    measured = measure_large_scale(DiscFinder(), in_memory(discs([], 3000, 3000)))
    assert measured == ScaleMeasurement(42.0, 70)  # 39, 40, 41, [42], 43, 44, 90; seven regions of 10 cells


def test_without_red_cells_there_is_no_scale():
    assert measure_large_scale(DiscFinder(), in_memory(discs([]))) is None


def test_an_empty_corner_does_not_hide_the_scale(monkeypatch):
    monkeypatch.setattr("bloodcell.inference.large_detection.REGION_PX", 1500)  # the quarters
    measured = measure_large_scale(DiscFinder(), in_memory(smear({(0, 0): 0, (0, 1): 40, (1, 0): 0, (1, 1): 40})))
    assert measured.red_cell_px == 41


@pytest.mark.parametrize(
    ("height_px", "width_px", "expected"),
    [
        (600, 700, [(0, 0, 600, 700)]),
        (2100, 1000, [(26, 0, 2074, 1000)]),  # (2100 - 2048) / 2 = 26
        (4096, 500, [(0, 0, 2048, 500), (2048, 0, 4096, 500)]),
        (9000, 500, [(476, 0, 2524, 500), (3476, 0, 5524, 500), (6476, 0, 8524, 500)]),  # about 1500, 4500, 7500
    ],
)
def test_regions_are_spread_over_the_image_and_do_not_overlap(height_px, width_px, expected):
    large, regions = counted_reads(np.full((height_px, width_px, 3), 230, np.uint8))
    assert measure_large_scale(DiscFinder(), large) is None
    assert regions == expected


def test_a_large_image_is_measured_in_nine_regions():
    large, regions = counted_reads(np.full((7000, 6200, 3), 230, np.uint8))
    measure_large_scale(DiscFinder(), large)
    assert len(regions) == 9
    assert {(bottom - top, right - left) for top, left, bottom, right in regions} == {(2048, 2048)}
