"""Evaluate a detector on labelled fields: metrics with intervals, counts of each field, missed and false boxes."""

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import OnProgress
from bloodcell.datasets.boxes.box_sets import BoxedImage, BoxSet
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.boxes.field_metrics import FieldMetrics, measure_fields
from bloodcell.evaluation.boxes.matching import TrueBoxes
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.detections import Detections
from bloodcell.inference.detector import Detector
from bloodcell.inference.field_scale import MAX_SCALE_IMAGES, agree_scale, measure_scale

LOWEST_SCORE = 0.02  # average precision needs the whole curve
MISSED, FALSE = "missed", "false"
_LISTS = "ImageSets/Main"  # where Pascal VOC lists the images of a part


@dataclass(frozen=True)
class BoxError:
    """A cell that was missed, or a box without a cell.

    Attributes
    ----------
    kind : str
        `MISSED` or `FALSE`.
    file : str
    class_name : str
    box : Box
    score : float
        0 for a missed cell.
    """

    kind: str
    file: str
    class_name: str
    box: Box
    score: float


@dataclass(frozen=True)
class DetectorEvaluation:
    """What came out of an evaluation.

    Attributes
    ----------
    metrics : FieldMetrics
    files : tuple of str
        The fields, in the order of `metrics.matches`.
    red_cell_px : tuple of float
        The scale at which each was seen.
    errors : tuple of BoxError
        Missed cells first, then false boxes, the surest first.
    """

    metrics: FieldMetrics
    files: tuple[str, ...]
    red_cell_px: tuple[float, ...]
    errors: tuple[BoxError, ...]


def select_part(contents: Contents, boxes: BoxSet, part: str | None) -> BoxSet:
    """Select the images of a part: those that ``ImageSets/Main/PART.txt`` lists, or in a folder of that name.

    Raises
    ------
    DatasetError
        If no image is in the part.
    """
    if part is None:
        return boxes
    listed = next((file for file in contents.files if file.endswith(f"{_LISTS}/{part}.txt")), None)
    stems = set(contents.read(listed).decode("utf-8", "replace").split()) if listed else set()
    images = tuple(
        image
        for image in boxes.images
        if PurePosixPath(image.file).stem in stems or (not stems and part in PurePosixPath(image.file).parts[:-1])
    )
    if not images:
        raise DatasetError(f"{contents.path.name} has no images of a part {part!r}.")
    return BoxSet(boxes.kind, images, boxes.problems)


def evaluate_detector(
    detector: Detector, contents: Contents, boxes: BoxSet, on_progress: OnProgress | None = None
) -> DetectorEvaluation:
    """Find the cells of labelled fields and compare.

    The scale is measured as for a batch; fields of one size are a batch, since one camera took them.

    Parameters
    ----------
    detector : Detector
    contents : Contents
        Open.
    boxes : BoxSet
        Labels are classes of the detector (`box_sets.map_labels`).
    on_progress : callable, optional
        Called with (done, total) after each field.

    Returns
    -------
    DetectorEvaluation

    Raises
    ------
    DatasetError, ImageError
        If an image cannot be read.
    """
    names = detector.model.class_names
    scales = _measure_scales(detector, contents, boxes)
    lowest = np.full(len(names), LOWEST_SCORE)
    true, found = [], []
    for done, image in enumerate(boxes.images, start=1):
        array = np.array([box.box for box in image.boxes], np.float32).reshape(-1, 4)
        true.append(TrueBoxes(array, np.array([names.index(box.label) for box in image.boxes], np.int64)))
        red_cell_px = scales[image.height_px, image.width_px]
        found.append(detector.detect(read_rgb(contents.read(image.file)), red_cell_px, lowest))
        if on_progress is not None:
            on_progress(done, len(boxes.images))
    metrics = measure_fields(true, found, names, detector.model.thresholds)
    kept = [field.select_sure(detector.model.thresholds) for field in found]
    return DetectorEvaluation(
        metrics,
        tuple(image.file for image in boxes.images),
        tuple(scales[image.height_px, image.width_px] for image in boxes.images),
        _list_errors(boxes.images, true, kept, metrics),
    )


def _measure_scales(detector: Detector, contents: Contents, boxes: BoxSet) -> dict[tuple[int, int], float]:
    """Measure the diameter of red cells by size of image; where they cannot tell it, all images are asked together."""
    by_size: dict[tuple[int, int], list[BoxedImage]] = {}
    for image in boxes.images:
        by_size.setdefault((image.height_px, image.width_px), []).append(image)
    measured = {
        size: [measure_scale(detector, read_rgb(contents.read(image.file))) for image in images[:MAX_SCALE_IMAGES]]
        for size, images in by_size.items()
    }
    together = agree_scale([one for of_size in measured.values() for one in of_size])
    if together is None:
        raise DatasetError(f"No image of {contents.path.name} shows red cells enough to know its scale.")
    agreed = {size: agree_scale(of_size) or together for size, of_size in measured.items()}
    return {size: scale.red_cell_px for size, scale in agreed.items()}


def _list_errors(
    images: tuple[BoxedImage, ...], true: list[TrueBoxes], kept: list[Detections], metrics: FieldMetrics
) -> tuple[BoxError, ...]:
    errors = []
    for image, labelled, field, matches in zip(images, true, kept, metrics.matches, strict=True):
        for name, match in matches.items():
            for row in match.missed:
                errors.append(BoxError(MISSED, image.file, name, _make_box(labelled.boxes[row]), 0.0))
            for row in match.false:
                errors.append(BoxError(FALSE, image.file, name, _make_box(field.boxes[row]), float(field.score[row])))
    return tuple(sorted(errors, key=lambda error: (error.kind != MISSED, -error.score, error.file)))


def _make_box(sides: np.ndarray) -> Box:
    return Box(*(round(float(side)) for side in sides))
