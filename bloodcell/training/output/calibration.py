"""Set a model's temperature and status thresholds on cells that it did not learn from."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.labels import CONFIDENT, UNFAMILIAR
from bloodcell.evaluation.metrics.calibration import expected_calibration_error, fit_temperature
from bloodcell.inference.probabilities import sigmoid, softmax
from bloodcell.inference.statuses import Thresholds, assign_statuses
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.train_spec import TrainSpec

# Confident cells of the validation fold shall be right this often, a little above what is promised ...
TARGET_ACCURACY = 0.98
# ... unless that would hold back more than this part of them: then a technician would stop heeding the mark.
MAX_FLAGGED_SHARE = 0.06
# This part of the validation cells may be called unfamiliar by mistake, by each of the two tests.
# At 3 % each, 20 of 2,060 crops from drawn pictures without a cell (not_smears, seeds 7-14) were confident; at 6 %, 5.
# More would hold back over 15 % of the validation cells.
FALSE_OOD_SHARE = 0.06


@dataclass(frozen=True)
class Outputs:
    """A network's raw answers for N crops.

    logits : (N, C)
    known : (N,), logits; None where the network has no such head
    distance : (N,), of `inference.ood`
    """

    logits: np.ndarray
    known: np.ndarray | None
    distance: np.ndarray

    def save(self, path: Path) -> None:
        """Write to a .npz file."""
        if self.known is None:
            np.savez_compressed(path, logits=self.logits, distance=self.distance)
        else:
            np.savez_compressed(path, logits=self.logits, known=self.known, distance=self.distance)

    @classmethod
    def load(cls, path: Path) -> "Outputs":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["logits"], stored.get("known"), stored["distance"])


@dataclass(frozen=True)
class Calibration:
    """What prediction needs (temperature and thresholds), and how it does on validation.

    settings : without min_known where the network does not answer whether a cell is known
    """

    settings: dict[str, float]
    metrics: dict


def calibrate(spec: TrainSpec, held_out: Samples, outputs: Outputs) -> Calibration:
    """Fit temperature and thresholds on held-out cells, every source cell counting the same.

    Parameters
    ----------
    held : Samples of the validation fold, or all where they were answered out of fold
    outputs : Outputs for `held_out`
    """
    is_known = held_out.class_index != OOD
    if not is_known.any():
        raise DatasetError("The validation fold holds no cell of any class.")
    y_true, groups = held_out.class_index[is_known], held_out.group[is_known]
    _, inverse, copies = np.unique(groups, return_inverse=True, return_counts=True)
    weights = 1.0 / copies[inverse]
    temperature = fit_temperature(y_true, outputs.logits[is_known], weights)
    probs, distance = softmax(outputs.logits[is_known], temperature), outputs.distance
    known = None if outputs.known is None else sigmoid(outputs.known)
    thresholds = Thresholds(
        min_confidence=find_min_confidence(probs.max(axis=1), probs.argmax(axis=1) == y_true),
        min_known=None if known is None else float(np.quantile(known[is_known], FALSE_OOD_SHARE)),
        max_distance=float(np.quantile(distance[is_known], 1 - FALSE_OOD_SHARE)),
    )
    statuses = assign_statuses(probs, None if known is None else known[is_known], distance[is_known], thresholds)
    right = probs.argmax(axis=1) == y_true
    confident = statuses == CONFIDENT
    recalls = {name: right[y_true == c] for c, name in enumerate(spec.class_names)}
    metrics = {
        "images": len(y_true),
        "source_cells": len(copies),
        "accuracy": round(float(right.mean()), 4),
        "recall": {name: round(float(of_class.mean()), 4) for name, of_class in recalls.items() if len(of_class)},
        "ece": round(expected_calibration_error(y_true, probs), 4),
        "confident_right": round(float(right[confident].mean()), 4) if confident.any() else None,
        "held_back": round(float(1 - confident.mean()), 4),
        "per_source": _measure_per_source(spec, held_out.source[is_known], right, confident),
    }
    if (~is_known).any():
        others = assign_statuses(
            softmax(outputs.logits[~is_known]),
            None if known is None else known[~is_known],
            distance[~is_known],
            thresholds,
        )
        metrics["other_cells_unfamiliar"] = round(float((others == UNFAMILIAR).mean()), 4)
    set_here = {name: value for name, value in asdict(thresholds).items() if value is not None}
    return Calibration({"temperature": temperature, **set_here}, metrics)


def find_min_confidence(confidence: np.ndarray, right: np.ndarray) -> float:
    """Smallest threshold above which `TARGET_ACCURACY` of the cells are right and that holds back few enough.

    Parameters
    ----------
    confidence : float array of shape (N,)
    right : bool array of shape (N,)
    """
    order = np.argsort(-confidence)
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(accuracy >= TARGET_ACCURACY)
    accurate_from = float(confidence[order[good[-1]]]) if len(good) else 1.0
    return max(0.5, min(accurate_from, float(np.quantile(confidence, MAX_FLAGGED_SHARE))))


def _measure_per_source(spec: TrainSpec, source: np.ndarray, right: np.ndarray, confident: np.ndarray) -> dict:
    metrics = {}
    for number, settings in enumerate(spec.sources):
        mine = source == number
        if mine.any():
            metrics[settings.name] = {
                "images": int(mine.sum()),
                "accuracy": round(float(right[mine].mean()), 4),
                "confident_right": round(float(right[mine & confident].mean()), 4)
                if (mine & confident).any()
                else None,
                "held_back": round(float(1 - confident[mine].mean()), 4),
            }
    return metrics
