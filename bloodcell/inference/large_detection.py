"""Cells and scale of images that are too large to be unpacked, seen in windows: memory grows with the cells alone."""

from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from bloodcell.core.errors import SpecError, StoppedError
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.imaging.large_image import LargeImage
from bloodcell.inference.detections import Detections, concatenate_detections, rank_scores
from bloodcell.inference.detector import OVERLAP_PX, SEAM_PX, TILE_PX, Detector, list_spans, pair_spans
from bloodcell.inference.field_scale import ScaleMeasurement, agree_scale, measure_scale

# Diameters of red cells, in pixels; what `SEARCHED_PX` of field_scale.py finds lies within. With smaller ones an image of
# 20,000 px a side would have more than 15,000 windows.
MIN_RED_CELL_PX: Final = 8.0
MAX_RED_CELL_PX: Final = 240.0
REGION_PX: Final = 2048  # side of a region whose scale is measured
REGIONS_A_SIDE: Final = 3
# Centres that two windows see within this share of the diameter are of one cell; overlapping cells are further apart.
SAME_CELL: Final = 0.25
MAX_WINDOW_PX: Final = 4096  # in the image: 50 MB
_ROUNDING_PX: Final = 3  # what windows may gain by rounding; one larger than a tile of the detector would become two


def detect_large(
    detector: Detector,
    image: LargeImage,
    red_cell_px: float,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Detections:
    """Find the cells of a large image, each one once.

    The image is read in windows that overlap by more than a cell; a cell belongs to the window in whose core its centre
    lies. Windows are resized each by itself, so two may see a centre on different sides of the seam of their cores, or
    both on their own side. Hence each keeps what lies up to `SEAM_PX` outside its core, and of the boxes that two windows
    have of one cell, the one with the higher score remains.

    Parameters
    ----------
    detector : Detector
    image : LargeImage
        Its `problems` tell afterwards where pixels were missing.
    red_cell_px : float
        Diameter of its red cells, `MIN_RED_CELL_PX` to `MAX_RED_CELL_PX`.
    on_progress : callable, optional
        Called with (done, total) after each window.
    should_stop : callable, optional
        Asked before each window.

    Returns
    -------
    Detections
        In pixels of the image; the best first.

    Raises
    ------
    SpecError
        If `red_cell_px` is out of range.
    StoppedError
        If `should_stop` says so; nothing is kept.
    ImageError
        If the file can no longer be read.
    """
    if not MIN_RED_CELL_PX <= red_cell_px <= MAX_RED_CELL_PX:
        raise SpecError(
            f"Red cells must have {MIN_RED_CELL_PX:g} to {MAX_RED_CELL_PX:g} px in diameter. Received: {red_cell_px:g}."
        )
    factor = detector.model.red_cell_px / red_cell_px
    seam = SEAM_PX / factor
    step, overlap = min(TILE_PX / factor, MAX_WINDOW_PX) - _ROUNDING_PX, OVERLAP_PX / factor
    rows, cols = (list_spans(side, step, overlap) for side in (image.height_px, image.width_px))
    total = len(rows) * len(cols)
    inner: list[Detections] = []
    near: list[Detections] = []
    for done, (core, (top, left, bottom, right)) in enumerate(pair_spans(rows, cols)):
        if should_stop is not None and should_stop():
            raise StoppedError(f"The search for cells was stopped after {done} of {total} windows; nothing was kept.")
        found = detector.detect(image.read_region(top, left, bottom, right), red_cell_px)
        found = Detections(found.boxes + np.array([top, left, top, left], np.float32), found.class_index, found.score)
        middles = found.locate_middles()
        inside = np.minimum(middles - core[:2], core[2:] - middles).min(axis=1)  # pixels to the nearest seam
        # What this window sees further inside, another sees too far outside to keep it.
        inner.append(found.select(np.asarray(inside > 2 * seam)))
        near.append(found.select(np.asarray((inside <= 2 * seam) & (inside > -seam))))
        if on_progress is not None:
            on_progress(done + 1, total)
    return concatenate_detections([*inner, _join_at_seams(near, detector.model.exclusive, seam)])


def measure_large_scale(detector: Detector, image: LargeImage) -> ScaleMeasurement | None:
    """Measure the diameter of the red cells of a large image in regions that are spread over it.

    Parameters
    ----------
    detector : Detector
    image : LargeImage

    Returns
    -------
    ScaleMeasurement or None
        The median over up to `REGIONS_A_SIDE` squared regions of up to `REGION_PX`, and the red cells of all of them;
        None where no region shows enough red cells.

    Raises
    ------
    ImageError
        If the file can no longer be read.
    """
    rows, cols = (_list_regions(side) for side in (image.height_px, image.width_px))
    measured = [
        measure_scale(detector, image.read_region(top, left, bottom, right))
        for top, bottom in rows
        for left, right in cols
    ]
    agreed = agree_scale(measured)
    if agreed is None:
        return None
    return ScaleMeasurement(agreed.red_cell_px, sum(one.n_red_cells for one in measured if one is not None))


def _join_at_seams(near: list[Detections], exclusive: tuple[int, ...], seam: float) -> Detections:
    """Keep the best of the boxes that several windows have of one cell: its centre is in nearly one place in all."""
    found = concatenate_detections(near)
    # In the order of `found`, which is that of the scores.
    window = np.repeat(np.arange(len(near)), [len(part) for part in near])[rank_scores(near)]
    middles, diameters = found.locate_middles(), found.measure_diameters()
    group = found.group_classes(exclusive)
    reach = max(seam, float(diameters.max(initial=0)) * SAME_CELL)
    better, worse = cKDTree(middles).query_pairs(reach, output_type="ndarray").T
    distances = np.linalg.norm(middles[better] - middles[worse], axis=1)
    is_same = (distances <= np.maximum(seam, SAME_CELL * np.minimum(diameters[better], diameters[worse]))) & (
        (group[better] == group[worse]) & (window[better] != window[worse])
    )
    is_kept = np.ones(len(found), bool)
    for number in np.lexsort((worse, better)):
        if is_same[number] and is_kept[better[number]]:
            is_kept[worse[number]] = False
    return found.select(is_kept)


def _list_regions(side_px: int) -> list[tuple[int, int]]:
    """List the regions along one side, which do not overlap, each in the middle of an equal share of it."""
    count = min(REGIONS_A_SIDE, max(1, side_px // REGION_PX))
    length = min(REGION_PX, side_px)
    starts = [round((number + 0.5) * side_px / count - length / 2) for number in range(count)]
    return [(start, start + length) for start in starts]
