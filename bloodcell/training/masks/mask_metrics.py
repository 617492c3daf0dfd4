"""How well a U-Net meets the masks of pictures that it did not learn from, asked as it is served."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

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
    DRAWN: "masks that people drew",
    OTSU: "Otsu's threshold: this says how well the U-Net does the same, not how well either meets the cell",
}


@dataclass(frozen=True)
class MaskMetrics:
    """Scores of held-back pictures.

    rows : a dict a picture: file, group, dice, iou, and dice_of_otsu where the masks were drawn
    figures : their means with 95 % intervals over source cells; what they were held against
    examples : Examples, from the worst Dice to the best
    """

    rows: list[dict[str, Any]]
    metrics: dict[str, Any]
    examples: Examples


def measure_masks(
    network: Path, spec: MasksSpec, samples: MaskSamples, data_dir: Path, control: Control
) -> MaskMetrics:
    """Ask the network in a file about every held-back picture at its own size, one picture in memory at a time.

    Parameters
    ----------
    network : ONNX file, as `inference.masks.MaskEngine` takes it

    Raises
    ------
    ModelError, DatasetError, ImageError, StoppedError
    """
    engine = MaskEngine(network)
    held_out = np.flatnonzero(samples.held_out)
    records = [Record(samples.file[row], "") for row in held_out]
    rows: list[dict[str, Any]] = []
    with open_pairs(spec, data_dir) as pairs:
        for row, scores in enumerate(read_ahead(partial(_score_image, engine, pairs), records)):
            raise_if_stopped(control)
            if scores is not None:
                rows.append({"file": records[row].file, "group": int(samples.group[held_out[row]]), **scores})
        if not rows:
            raise DatasetError(f"None of the {len(held_out)} held-back pictures can be read any more.")
        ranked = sorted(rows, key=lambda one: (one["dice"], one["file"]))
        chosen = [ranked[at] for at in np.unique(np.linspace(0, len(ranked) - 1, N_EXAMPLES).round().astype(int))]
        examples = _build_examples(engine, [pairs.read(Record(one["file"], "")) for one in chosen], chosen)
    groups = np.array([row["group"] for row in rows])
    metrics: dict[str, Any] = {"images": len(rows), "source_cells": len(np.unique(groups))}
    metrics["against"] = REFERENCES[spec.targets]
    for name in ("dice", "iou", *(["dice_of_otsu"] if spec.targets == DRAWN else [])):
        metrics[name] = summarise_scores(np.array([row[name] for row in rows]), groups)
    return MaskMetrics(rows, metrics, examples)


def _score_image(engine: MaskEngine, pairs: Pairs, record: Record) -> dict[str, float] | None:
    """Scores of one picture; None where it has become unreadable since it was learned with."""
    pair = pairs.read(record)
    if pair is None:
        return None
    rgb, wanted = pair
    mask = engine.predict_mask(rgb)
    scores = {"dice": dice(mask, wanted), "iou": intersection_over_union(mask, wanted)}
    if pairs.drawn is not None:
        scores["dice_of_otsu"] = dice(mask_cell_by_otsu(rgb), wanted)
    return {name: round(value, 4) for name, value in scores.items()}


def summarise_scores(values: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """Mean of scores with its 95 % interval over groups, their median and the least; arrays of shape (N,)."""
    low, high = cluster_bootstrap(lambda rows: float(values[rows].mean()), groups)
    return {
        "mean": round(float(values.mean()), 4),
        "interval": [round(low, 4), round(high, 4)],
        "median": round(float(np.median(values)), 4),
        "least": round(float(values.min()), 4),
    }


def _build_examples(engine: MaskEngine, pairs: list, rows: list[dict[str, Any]]) -> Examples:
    size = (engine.height_px, engine.width_px)
    there = [(pair, row) for pair, row in zip(pairs, rows, strict=True) if pair is not None]
    rgb = np.stack([resize_image(picture, *size) for (picture, _), _ in there])
    return Examples(
        rgb=rgb,
        true_mask=np.stack([resize_mask(mask, *size) > 0 for (_, mask), _ in there]),
        predicted_mask=np.stack([engine.predict_mask(picture) for picture in rgb]),
        dice=np.array([row["dice"] for _, row in there]),
        file=[row["file"] for _, row in there],
    )
