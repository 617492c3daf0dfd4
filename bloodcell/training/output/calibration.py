"""Set a model's temperature and status thresholds on cells that it was not trained on."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.labels import CONFIDENT, UNFAMILIAR
from bloodcell.evaluation.metrics.calibration import expected_calibration_error, fit_temperature
from bloodcell.inference.probabilities import sigmoid, softmax
from bloodcell.inference.statuses import Thresholds, assign_statuses
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.train_spec import TrainSpec

# Accuracy of the confident cells of the validation fold, a little above what is promised ...
TARGET_ACCURACY = 0.98
# ... unless that would flag more than this share of them for review: then a technologist would stop heeding the flag.
MAX_FLAGGED_SHARE = 0.06
# This share of the validation cells may be called unfamiliar by mistake, by each of the two tests.
# At 3 % each, 20 of 2,060 crops from drawn images without a cell (not_smears, seeds 7-14) were confident; at 6 %, 5.
# More would flag over 15 % of the validation cells for review.
FALSE_OOD_SHARE = 0.06


@dataclass(frozen=True)
class Outputs:
    """A network's raw outputs for N crops.

    Attributes
    ----------
    logits : ndarray of float, shape (N, C)
        Of the classes.
    known : ndarray of float, shape (N,), or None
        Logits of the out-of-distribution head: high for a cell of one of the classes. None where there is no such head.
    distance : ndarray of float, shape (N,)
        Mahalanobis score, see `inference.ood`.
    """

    logits: np.ndarray
    known: np.ndarray | None
    distance: np.ndarray

    def take(self, rows: np.ndarray) -> "Outputs":
        """Return the outputs at `rows` (indices or a bool mask)."""
        return Outputs(self.logits[rows], None if self.known is None else self.known[rows], self.distance[rows])

    def save(self, path: Path) -> None:
        """Write the outputs to an .npz file."""
        if self.known is None:
            np.savez_compressed(path, logits=self.logits, distance=self.distance)
        else:
            np.savez_compressed(path, logits=self.logits, known=self.known, distance=self.distance)

    @classmethod
    def load(cls, path: Path) -> "Outputs":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["logits"], stored.get("known"), stored["distance"])


class SourceMetrics(TypedDict):
    """Metrics on the validation cells of one source, as metrics.json holds them."""

    images: int
    accuracy: float
    confident_right: float | None
    held_back: float


class CalibrationMetrics(TypedDict):
    """Metrics on the validation cells, as metrics.json holds them.

    `confident_right` is the accuracy of the confident cells, `held_back` the share that is flagged for review, and
    `other_cells_unfamiliar` the share of cells of other classes that are called unfamiliar.
    """

    images: int
    source_cells: int
    accuracy: float
    recall: dict[str, float]
    ece: float
    confident_right: float | None
    held_back: float
    per_source: dict[str, SourceMetrics]
    other_cells_unfamiliar: NotRequired[float]


@dataclass(frozen=True)
class Calibration:
    """Temperature and thresholds of a model, and how it does on validation.

    Attributes
    ----------
    settings : dict of str to float
        temperature, min_confidence, max_distance and, for a network with an out-of-distribution head, min_known.
    metrics : CalibrationMetrics
        Measured with these settings, on the cells that they were set on.
    """

    settings: dict[str, float]
    metrics: CalibrationMetrics


def calibrate(spec: TrainSpec, held_out: Samples, outputs: Outputs) -> Calibration:
    """Fit temperature and thresholds on held-out cells; in the temperature every source cell counts the same.

    Parameters
    ----------
    spec : TrainSpec
        Its classes and sources.
    held_out : Samples
        N samples of the validation fold, or all samples where each was predicted by a network that held it out.
    outputs : Outputs
        Of the N samples.

    Returns
    -------
    Calibration

    Raises
    ------
    DatasetError
        If no sample is of one of the classes.
    """
    has_class = held_out.class_index != OOD
    if not has_class.any():
        raise DatasetError("The validation fold has no cell of any class.")
    y_true, groups = held_out.class_index[has_class], held_out.group[has_class]
    _, inverse, copies = np.unique(groups, return_inverse=True, return_counts=True)
    temperature = fit_temperature(y_true, outputs.logits[has_class], 1.0 / copies[inverse])
    probs = softmax(outputs.logits[has_class], temperature)
    is_correct = probs.argmax(axis=1) == y_true
    known = None if outputs.known is None else sigmoid(outputs.known)
    thresholds = Thresholds(
        min_confidence=find_min_confidence(probs.max(axis=1), is_correct),
        min_known=None if known is None else float(np.quantile(known[has_class], FALSE_OOD_SHARE)),
        max_distance=float(np.quantile(outputs.distance[has_class], 1 - FALSE_OOD_SHARE)),
    )
    statuses = assign_statuses(
        probs, None if known is None else known[has_class], outputs.distance[has_class], thresholds
    )
    is_confident = statuses == CONFIDENT
    recalls = {name: is_correct[y_true == index] for index, name in enumerate(spec.class_names)}
    metrics: CalibrationMetrics = {
        "images": len(y_true),
        "source_cells": len(copies),
        "accuracy": round(float(is_correct.mean()), 4),
        "recall": {name: round(float(hits.mean()), 4) for name, hits in recalls.items() if len(hits)},
        "ece": round(expected_calibration_error(y_true, probs), 4),
        "confident_right": _compute_confident_accuracy(is_correct, is_confident),
        "held_back": round(float(1 - is_confident.mean()), 4),
        "per_source": _measure_per_source(spec, held_out.source[has_class], is_correct, is_confident),
    }
    if (~has_class).any():
        metrics["other_cells_unfamiliar"] = _measure_unfamiliar_share(outputs.take(~has_class), thresholds)
    thresholds_set = {name: value for name, value in asdict(thresholds).items() if value is not None}
    return Calibration({"temperature": temperature, **thresholds_set}, metrics)


def find_min_confidence(confidence: np.ndarray, is_correct: np.ndarray) -> float:
    """Find the smallest threshold above which `TARGET_ACCURACY` of the cells are correct.

    It is lower where that would flag more than `MAX_FLAGGED_SHARE` of the cells for review, and never below 0.5: a cell
    that is more likely of another class is not confident.

    Parameters
    ----------
    confidence : ndarray of float, shape (N,)
        Largest probability of each cell.
    is_correct : ndarray of bool, shape (N,)
        Whether the class with that probability is the true one.

    Returns
    -------
    float

    Examples
    --------
    >>> find_min_confidence(np.linspace(0.3, 0.9, 50), np.ones(50, bool))
    0.5
    """
    order = np.argsort(-confidence)
    accuracy = np.cumsum(is_correct[order]) / np.arange(1, len(order) + 1)
    accurate = np.flatnonzero(accuracy >= TARGET_ACCURACY)
    min_accurate = float(confidence[order[accurate[-1]]]) if len(accurate) else 1.0
    return max(0.5, min(min_accurate, float(np.quantile(confidence, MAX_FLAGGED_SHARE))))


def _compute_confident_accuracy(is_correct: np.ndarray, is_confident: np.ndarray) -> float | None:
    return round(float(is_correct[is_confident].mean()), 4) if is_confident.any() else None


def _measure_per_source(
    spec: TrainSpec, source: np.ndarray, is_correct: np.ndarray, is_confident: np.ndarray
) -> dict[str, SourceMetrics]:
    metrics: dict[str, SourceMetrics] = {}
    for number, source_spec in enumerate(spec.sources):
        in_source = source == number
        if in_source.any():
            metrics[source_spec.name] = {
                "images": int(in_source.sum()),
                "accuracy": round(float(is_correct[in_source].mean()), 4),
                "confident_right": _compute_confident_accuracy(is_correct, in_source & is_confident),
                "held_back": round(float(1 - is_confident[in_source].mean()), 4),
            }
    return metrics


def _measure_unfamiliar_share(outputs: Outputs, thresholds: Thresholds) -> float:
    """Share of cells of other classes that are called unfamiliar; no temperature, as it does not change that status."""
    known = None if outputs.known is None else sigmoid(outputs.known)
    statuses = assign_statuses(softmax(outputs.logits), known, outputs.distance, thresholds)
    return round(float((statuses == UNFAMILIAR).mean()), 4)
