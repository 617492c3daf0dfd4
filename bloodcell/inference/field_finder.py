"""Find every cell of a field: the detector says which cells there are, and the threshold finder outlines white ones.

The classifiers that are shipped were trained on boxes of the threshold finder, which are a little tighter than those that
people draw. So where both agree on a white cell, its box is the threshold finder's; a white cell that the detector alone
sees has the detector's box, and a box that the threshold finder alone sees (a scale bar, debris) is dropped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import BloodcellError
from bloodcell.core.labels import PLATELET, RBC, WBC
from bloodcell.imaging.boxes import Box, iou
from bloodcell.imaging.find import Finding, find_white_cells
from bloodcell.inference.detections import Detections
from bloodcell.inference.detector import Detector
from bloodcell.inference.field_scale import (
    MAX_SCALE_IMAGES,
    MIN_RED_CELLS,
    BatchScale,
    measure_batch_scale,
    measure_scale,
)

# An image whose own red cells differ by more from the batch's (log scale) comes from another microscope or objective.
MAX_SCALE_DIFFERENCE: Final = 0.25
MIN_TO_AGREE: Final = 3  # red cells, cut ones too, that must be of the batch's size
SAME_CELL_IOU: Final = 0.5
# Where no red cell tells the scale: fields of the usual cameras are about this many red cells high.
ASSUMED_RED_CELLS_HIGH: Final = 5.3
MAX_ASSUMED_SIDE_PX: Final = 1000


@dataclass(frozen=True)
class FieldFinding:
    """The cells of one image.

    Attributes
    ----------
    white_cells, red_cells, platelets : tuple of Box
        From top to bottom, then left to right.
    red_cell_px : float
        Diameter of red cells that the image was seen at.
    is_own_scale : bool
        Whether that is its own, because it differs from the batch's.
    is_smear, reason, background_rgb
        As in `imaging.find.Finding`.
    """

    white_cells: tuple[Box, ...]
    red_cells: tuple[Box, ...]
    platelets: tuple[Box, ...]
    red_cell_px: float
    is_own_scale: bool
    is_smear: bool
    reason: str
    background_rgb: tuple[int, int, int]


class FieldFinder:
    """Finds the cells of fields of one scale; safe to use from several threads.

    Parameters
    ----------
    detector : Detector
    red_cell_px : float or None
        Diameter of red cells in the images, in pixels; None where nothing could tell it.
    classes : sequence of str, default ()
        Classes of the classifier: one that knows platelets is shown those that the threshold finder outlines too.
    """

    def __init__(self, detector: Detector, red_cell_px: float | None, classes: Sequence[str] = ()) -> None:
        self.detector, self.red_cell_px = detector, red_cell_px
        self._shows_platelets = PLATELET in classes

    def find(self, rgb: npt.NDArray[np.uint8]) -> FieldFinding:
        """Find the cells of an image: ndarray of uint8, shape (H, W, 3).

        Raises
        ------
        ImageError
            If `rgb` is not uint8 with three channels, or empty.
        """
        outlined = find_white_cells(rgb)
        found, red_cell_px, is_own_scale = self._detect(rgb)
        names = self.detector.model.class_names
        boxes = {name: make_boxes(found.select(found.class_index == index)) for index, name in enumerate(names)}
        white = [_outline(box, outlined.boxes, boxes[WBC]) for box in boxes[WBC]]
        if self._shows_platelets:
            white += [box for box in outlined.boxes if _meets(box, boxes[PLATELET]) and not _meets(box, boxes[WBC])]
        # Red cells are proof enough of a smear that is lit unusually.
        is_smear = outlined.is_smear or len(boxes[RBC]) >= MIN_RED_CELLS
        if not is_smear:
            return _find_nothing(outlined, red_cell_px)
        return FieldFinding(
            tuple(sorted(set(white))),
            boxes[RBC],
            boxes[PLATELET],
            red_cell_px,
            is_own_scale,
            is_smear,
            "",
            outlined.background_rgb,
        )

    def _detect(self, rgb: npt.NDArray[np.uint8]) -> tuple[Detections, float, bool]:
        """Detect at the scale of the batch, and again at the image's own where its red cells say that it differs."""
        height, width = rgb.shape[:2]
        red_cell_px = self.red_cell_px or min(height, width, MAX_ASSUMED_SIDE_PX) / ASSUMED_RED_CELLS_HIGH
        found = self.detector.detect(rgb, red_cell_px)
        is_red = found.class_index == self.detector.model.class_names.index(RBC)
        diameters = found.select(np.asarray(is_red)).measure_diameters()
        if len(diameters) >= MIN_TO_AGREE:
            difference = abs(np.log(float(np.median(diameters)) / red_cell_px))
            if self.red_cell_px is not None and difference <= MAX_SCALE_DIFFERENCE:
                return found, red_cell_px, False
        own = measure_scale(self.detector, rgb)
        if own is None or abs(np.log(own.red_cell_px / red_cell_px)) <= MAX_SCALE_DIFFERENCE:
            return found, red_cell_px, False
        return self.detector.detect(rgb, own.red_cell_px), own.red_cell_px, True


def make_batch_finder(
    detector: Detector, images: Iterable[bytes | BloodcellError], classes: Sequence[str] = ()
) -> tuple[FieldFinder, BatchScale | None, Iterator[bytes | BloodcellError]]:
    """Make the finder for images that come one by one, measuring their scale on the first.

    Parameters
    ----------
    detector : Detector
    images : iterable of bytes or BloodcellError
        Read ahead by `field_scale.MAX_SCALE_IMAGES`.
    classes : sequence of str, default ()
        As for `FieldFinder`.

    Returns
    -------
    finder : FieldFinder
    scale : BatchScale or None
        None where nothing could tell it.
    images : iterator
        The same images from the first on.
    """
    waiting = iter(images)
    first = list(islice(waiting, MAX_SCALE_IMAGES))
    scale = measure_batch_scale(detector, first)
    return FieldFinder(detector, scale.red_cell_px if scale else None, classes), scale, chain(first, waiting)


def make_boxes(found: Detections) -> tuple[Box, ...]:
    """Round boxes to whole pixels, from top to bottom, then left to right."""
    rows = np.round(found.boxes).astype(int).tolist()
    return tuple(sorted(Box(*row) for row in rows if row[2] > row[0] and row[3] > row[1]))


def _outline(box: Box, outlined: Sequence[Box], white: Sequence[Box]) -> Box:
    """Return the threshold finder's box of the same cell, and of no other one; the detector's where there is none."""
    same = max(outlined, key=lambda other: iou(box, other), default=box)
    n_inside = sum(_holds_centre(same, other) for other in white)
    return same if iou(box, same) >= SAME_CELL_IOU and n_inside == 1 else box


def _meets(box: Box, others: Sequence[Box]) -> bool:
    return any(_holds_centre(box, other) or _holds_centre(other, box) for other in others)


def _holds_centre(box: Box, other: Box) -> bool:
    row, col = other.centre
    return box.top <= row < box.bottom and box.left <= col < box.right


def _find_nothing(outlined: Finding, red_cell_px: float) -> FieldFinding:
    return FieldFinding((), (), (), red_cell_px, False, False, outlined.reason, outlined.background_rgb)
