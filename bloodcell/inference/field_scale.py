"""The scale of images from their red cells: measured in each image, agreed over a batch, which one microscope took."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import BloodcellError
from bloodcell.core.labels import RBC
from bloodcell.core.text import inflect_noun
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.detections import Detections
from bloodcell.inference.detector import Detector

RED_CELL_UM: Final = 7.5  # diameter of a red cell on a smear, 6.2 to 8.2 (Bain, Blood Cells, 5th ed., 2015)
MIN_RED_CELLS: Final = 5  # in one image, to measure its scale
# Diameters of red cells, in pixels, that are looked for; each step is within what the detector was varied by.
SEARCHED_PX: Final = (14.0, 22.0, 35.0, 56.0, 90.0, 144.0)
MAX_SCALE_IMAGES: Final = 12
PEEK_PX: Final = 320  # side of the part that is looked at, at the scale of the detector
_TOLERANCE: Final = 0.3  # of the logarithm of a diameter about the one that was looked for
_MAX_ROUNDS: Final = 3


@dataclass(frozen=True)
class ScaleMeasurement:
    """The scale of one image.

    Attributes
    ----------
    red_cell_px : float
        Median diameter of its red cells in pixels.
    n_red_cells : int
        How many were measured.
    """

    red_cell_px: float
    n_red_cells: int


@dataclass(frozen=True)
class BatchScale:
    """The scale on which the images of a batch agree.

    Attributes
    ----------
    red_cell_px : float
        Median diameter of red cells in pixels.
    n_images : int
        Images in which it was measured; 0 where a person set it.
    spread : float
        Half the interquartile range over images, as a share of `red_cell_px`; 0 for one image.
    """

    red_cell_px: float
    n_images: int
    spread: float

    @property
    def um_per_px(self) -> float:
        """Micrometres per pixel, if red cells have `RED_CELL_UM`."""
        return RED_CELL_UM / self.red_cell_px


def describe_scale(scale: BatchScale | None) -> str:
    """Say the scale of a batch in one sentence.

    Examples
    --------
    >>> describe_scale(BatchScale(74.2, 30, 0.031))
    '1 red cell = 74 px, about 0.10 µm/px, from 30 images (± 3%)'
    """
    if scale is None:
        return (
            "Scale unknown: no image shows red cells enough, so each is taken for a field about five red cells high; set the "
            "scale if it is not."
        )
    size = f"1 red cell = {scale.red_cell_px:.0f} px, about {scale.um_per_px:.2f} µm/px"
    if not scale.n_images:
        return f"{size}, set by hand"
    spread = f" (± {scale.spread:.0%})" if scale.n_images > 1 else ""
    return f"{size}, from {scale.n_images} {inflect_noun(scale.n_images, 'image')}{spread}"


def measure_scale(detector: Detector, rgb: npt.NDArray[np.uint8]) -> ScaleMeasurement | None:
    """Measure the diameter of the red cells of an image, whatever its size.

    A part of the image is looked at on a coarse pyramid; the level that shows most red cells of the size that it is for
    is where the measurement starts.

    Parameters
    ----------
    detector : Detector
    rgb : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    ScaleMeasurement or None
        None where fewer than `MIN_RED_CELLS` are found at every level.
    """
    levels = [(_score_level(detector, rgb, px), px) for px in SEARCHED_PX]
    best_score, red_cell_px = max(levels)
    if best_score <= 0:
        return None
    measured = None
    for _ in range(_MAX_ROUNDS):
        diameters = _measure_part(detector, rgb, red_cell_px)
        if len(diameters) < MIN_RED_CELLS:
            break
        measured = ScaleMeasurement(float(np.median(diameters)), len(diameters))
        if abs(np.log(measured.red_cell_px / red_cell_px)) < 0.02:
            break
        red_cell_px = measured.red_cell_px
    return measured


def agree_scale(measured: Sequence[ScaleMeasurement | None]) -> BatchScale | None:
    """Agree on the scale of a batch: the median over its images; None where none could be measured."""
    known = np.array([one.red_cell_px for one in measured if one is not None])
    if not len(known):
        return None
    middle = float(np.median(known))
    low, high = np.percentile(known, (25, 75))
    return BatchScale(middle, len(known), float((high - low) / 2 / middle))


def measure_batch_scale(detector: Detector, images: Iterable[bytes | BloodcellError]) -> BatchScale | None:
    """Measure the scale of a batch on its first images.

    Parameters
    ----------
    detector : Detector
    images : iterable of bytes or BloodcellError
        Taken up to `MAX_SCALE_IMAGES`; those that cannot be read are passed over.

    Returns
    -------
    BatchScale or None
        None where no image has red cells enough.
    """

    def measure(image: bytes | BloodcellError) -> ScaleMeasurement | None:
        try:
            return None if isinstance(image, BloodcellError) else measure_scale(detector, read_rgb(image))
        except BloodcellError:
            return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return agree_scale(list(pool.map(measure, islice(images, MAX_SCALE_IMAGES))))


def select_whole_red_cells(
    found: Detections, class_names: Sequence[str], height_px: int, width_px: int
) -> npt.NDArray[np.bool_]:
    """Mark the red cells that no edge of the image cuts."""
    inside = (found.boxes[:, :2] > 1).all(axis=1) & (found.boxes[:, 2:] < np.array([height_px, width_px]) - 1).all(
        axis=1
    )
    return np.asarray(inside & (found.class_index == list(class_names).index(RBC)))


def _measure_part(detector: Detector, rgb: npt.NDArray[np.uint8], red_cell_px: float) -> npt.NDArray[np.float32]:
    """Measure the whole red cells in the middle of an image, seen at the scale for `red_cell_px`."""
    side = int(PEEK_PX * red_cell_px / detector.model.red_cell_px)
    height, width = rgb.shape[:2]
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    part = rgb[top : top + side, left : left + side]
    found = detector.detect(part, red_cell_px)
    return found.select(select_whole_red_cells(found, detector.model.class_names, *part.shape[:2])).measure_diameters()


def _score_level(detector: Detector, rgb: npt.NDArray[np.uint8], red_cell_px: float) -> float:
    """Return which share of the part is covered by red cells of about this diameter; 0 where there are too few."""
    diameters = _measure_part(detector, rgb, red_cell_px)
    if len(diameters) < MIN_RED_CELLS:
        return 0.0
    fit = np.exp(-0.5 * (np.log(diameters / red_cell_px) / _TOLERANCE) ** 2)
    side = min(PEEK_PX * red_cell_px / detector.model.red_cell_px, max(rgb.shape[:2]))
    return float((fit * diameters**2).sum() / side**2)
