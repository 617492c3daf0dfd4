"""Average precision of boxes as COCO defines it, by faster-coco-eval."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from bloodcell.evaluation.boxes.matching import TrueBoxes
from bloodcell.inference.detections import Detections


@dataclass(frozen=True)
class AveragePrecision:
    """Average precision over fields.

    Attributes
    ----------
    by_class : dict of str to float
        AP at an IoU of 0.5; NaN for a class without a true box.
    map50 : float
        Their mean.
    map50_95 : float
        Mean over classes and the IoUs 0.5, 0.55, ..., 0.95.
    """

    by_class: dict[str, float]
    map50: float
    map50_95: float


def compute_average_precision(
    true: Sequence[TrueBoxes], found: Sequence[Detections], class_names: Sequence[str]
) -> AveragePrecision:
    """Compute average precision [1]_ over fields, with at most 500 boxes a field.

    Parameters
    ----------
    true, found : sequences of one entry a field
        `found` with low thresholds, as the whole curve counts.
    class_names : sequence of str

    Returns
    -------
    AveragePrecision

    References
    ----------
    .. [1] Lin et al. (2014), Microsoft COCO, ECCV, arXiv:1405.0312; 101 recall levels
    """
    images = [{"id": number} for number in range(1, len(true) + 1)]
    truths = [
        _describe(number, *pair)
        for number, field in enumerate(true, start=1)
        for pair in zip(field.boxes, field.class_index, strict=True)
    ]
    for identity, entry in enumerate(truths, start=1):
        entry |= {"id": identity, "iscrowd": 0}
    results = [
        _describe(number, box, class_index) | {"score": float(score)}
        for number, field in enumerate(found, start=1)
        for box, class_index, score in zip(field.boxes, field.class_index, field.score, strict=True)
    ]
    nothing = {name: float("nan") for name in class_names}
    if not truths:
        return AveragePrecision(nothing, float("nan"), float("nan"))
    if not results:
        present = {class_names[entry["category_id"] - 1] for entry in truths}
        return AveragePrecision(nothing | dict.fromkeys(present, 0.0), 0.0, 0.0)
    categories = [{"id": number, "name": name} for number, name in enumerate(class_names, start=1)]
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = COCO({"images": images, "annotations": truths, "categories": categories})
        evaluation = COCOeval_faster(dataset, dataset.loadRes(results), "bbox", print_function=lambda *_: None)
        evaluation.params.maxDets = [1, 10, 500]
        evaluation.evaluate()
        evaluation.accumulate()
    # (IoU, recall, class, area, most boxes); -1 where a class has no true box
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    precision = np.where(precision < 0, np.nan, precision)
    at_50 = [float(np.mean(precision[0, :, number])) for number in range(len(class_names))]
    return AveragePrecision(
        dict(zip(class_names, at_50, strict=True)), float(np.nanmean(at_50)), float(np.nanmean(precision))
    )


def _describe(image: int, box: np.ndarray, class_index: int) -> dict[str, Any]:
    top, left, bottom, right = (float(side) for side in box)
    size = [left, top, right - left, bottom - top]
    return {"image_id": image, "category_id": int(class_index) + 1, "bbox": size, "area": size[2] * size[3]}
