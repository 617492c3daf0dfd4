"""How well the masks of a U-Net, as it is used, agree with those of images that it was not trained on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import Control, raise_if_stopped
from bloodcell.datasets.labels.records import Record
from bloodcell.evaluation.metrics.bootstrap import cluster_bootstrap
from bloodcell.imaging.crop import resize_image
from bloodcell.imaging.segment import dice, intersection_over_union
from bloodcell.imaging.threshold import mask_cell_by_otsu
from bloodcell.inference.masks import MaskEngine
from bloodcell.model_store.mask_models import Examples
from bloodcell.training.samples.crop_store import read_ahead
from bloodcell.training.samples.mask_samples import MaskSamples, Pairs, open_pairs, resize_mask
from bloodcell.training.specs.masks_spec import DRAWN, OTSU, MasksSpec

N_EXAMPLES = 8
REFERENCES = {
    DRAWN: "masks drawn by people",
    OTSU: "Otsu's threshold: this shows how well the U-Net imitates it, not how well either marks the cell",
}


@dataclass(frozen=True)
class MaskScores:
    """Scores of one held-out image, a row of held_back.csv.

    Attributes
    ----------
    file : str
        Name of the image.
    group : int
        Its source cell.
    dice, iou : float
        Agreement of the U-Net's mask with the true mask.
    dice_of_otsu : float or None
        The same of Otsu's threshold alone; None where the true mask is made by it.
    """

    file: str
    group: int
    dice: float
    iou: float
    dice_of_otsu: float | None

    def to_row(self) -> dict[str, Any]:
        """Return the columns of held_back.csv, without those that are None."""
        return {column: value for column, value in asdict(self).items() if value is not None}


class ScoreSummary(TypedDict):
    """Summary of a score over images, as metrics.json holds it; the 95 % interval is over source cells."""

    mean: float
    interval: list[float]
    median: float
    least: float


@dataclass(frozen=True)
class MaskMetrics:
    """Scores of the held-out images.

    Attributes
    ----------
    rows : list of MaskScores
        One per image.
    metrics : dict
        images, source_cells, against (what the masks are compared with, in words), and a `ScoreSummary` of each score.
    examples : Examples
        From the worst Dice to the best.
    """

    rows: list[MaskScores]
    metrics: dict[str, Any]
    examples: Examples


def measure_masks(
    network: Path, spec: MasksSpec, samples: MaskSamples, data_dir: Path, control: Control
) -> MaskMetrics:
    """Predict the mask of every held-out image at its own size, one image in memory at a time, and score it.

    Parameters
    ----------
    network : Path
        ONNX file, as `inference.masks.MaskEngine` takes it.
    spec : MasksSpec
        The source, and where its masks come from.
    samples : MaskSamples
        Which images are held out.
    data_dir : Path
        Folder that the source's path starts from.
    control : Control
        May stop the measurement.

    Returns
    -------
    MaskMetrics

    Raises
    ------
    ModelError
        If the network cannot be used.
    DatasetError
        If no held-out image can be read any more.
    ImageError
        If a drawn mask is not a mask.
    StoppedError
        If `control` stops the measurement.
    """
    engine = MaskEngine(network)
    held_out = np.flatnonzero(samples.held_out)
    records = [Record(samples.file[row], "") for row in held_out.tolist()]
    rows: list[MaskScores] = []
    with open_pairs(spec, data_dir) as pairs:
        scored = read_ahead(partial(_score_image, engine, pairs), records)
        for record, group, scores in zip(records, samples.group[held_out].tolist(), scored, strict=True):
            raise_if_stopped(control)
            if scores is not None:
                rows.append(MaskScores(record.file, group, *scores))
        if not rows:
            raise DatasetError(f"None of the {len(held_out)} held-out images can be read any more.")
        examples = _build_examples(engine, pairs, rows)
    groups = np.array([row.group for row in rows])
    metrics: dict[str, Any] = {
        "images": len(rows),
        "source_cells": len(np.unique(groups)),
        "against": REFERENCES[spec.targets],
    }
    for name in ("dice", "iou", *(["dice_of_otsu"] if spec.targets == DRAWN else [])):
        metrics[name] = summarise_scores(np.array([getattr(row, name) for row in rows]), groups)
    return MaskMetrics(rows, metrics, examples)


def summarise_scores(values: np.ndarray, groups: np.ndarray) -> ScoreSummary:
    """Summarise a score over images: mean with its 95 % interval over groups, median and minimum.

    Parameters
    ----------
    values : ndarray of float, shape (N,)
        Score of each image.
    groups : ndarray, shape (N,)
        Source cell of each image.

    Returns
    -------
    ScoreSummary
        Rounded to four digits.
    """
    low, high = cluster_bootstrap(lambda rows: float(values[rows].mean()), groups)
    return {
        "mean": round(float(values.mean()), 4),
        "interval": [round(low, 4), round(high, 4)],
        "median": round(float(np.median(values)), 4),
        "least": round(float(values.min()), 4),
    }


def _score_image(engine: MaskEngine, pairs: Pairs, record: Record) -> tuple[float, float, float | None] | None:
    """Dice, IoU and Dice of Otsu alone of one image; None if it has become unreadable since the training."""
    pair = pairs.read(record)
    if pair is None:
        return None
    rgb, true_mask = pair
    mask = engine.predict_mask(rgb)
    otsu = None if pairs.drawn is None else round(dice(mask_cell_by_otsu(rgb), true_mask), 4)
    return round(dice(mask, true_mask), 4), round(intersection_over_union(mask, true_mask), 4), otsu


def _build_examples(engine: MaskEngine, pairs: Pairs, rows: Sequence[MaskScores]) -> Examples:
    """Read a few images again, evenly from the worst Dice to the best, at the network's size."""
    ranked = sorted(rows, key=lambda row: (row.dice, row.file))
    chosen = [ranked[place] for place in np.unique(np.linspace(0, len(ranked) - 1, N_EXAMPLES).round().astype(int))]
    size = (engine.height_px, engine.width_px)
    readable = [(pair, row) for row in chosen if (pair := pairs.read(Record(row.file, ""))) is not None]
    rgb = np.stack([resize_image(image, *size) for (image, _), _ in readable])
    return Examples(
        rgb=rgb,
        true_mask=np.stack([resize_mask(mask, *size) > 0 for (_, mask), _ in readable]),
        predicted_mask=np.stack([engine.predict_mask(image) for image in rgb]),
        dice=np.array([row.dice for _, row in readable]),
        file=[row.file for _, row in readable],
    )
