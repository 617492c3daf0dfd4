"""Everything that is said of a model's answers, each figure with its interval over source cells and over images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bloodcell.core.labels import CELL_STATUSES, CONFIDENT
from bloodcell.evaluation.metrics.calibration import expected_calibration_error
from bloodcell.evaluation.metrics.class_metrics import (
    compute_class_metrics,
    count_confusions,
    count_confusions_by_group,
)
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions
from bloodcell.evaluation.metrics.ranking import average_precision, rank_scores, roc_auc
from bloodcell.evaluation.metrics.resampling import (
    N_DRAWS,
    draw_weights,
    effective_sample_size,
    percentile_interval,
    resample_statistic,
)

# Areas and the calibration error are no sums over images, so that each draw takes all images.
N_AREA_DRAWS = 400
MIN_PROB = 1e-7
_CLASS_METRICS = ("precision", "recall", "f1")
_STATUS_METRICS = ("confident_right", "held_back", "wrong_not_confident")


@dataclass(frozen=True)
class _ResamplingUnit:
    """A way to draw: whole source cells, or single images."""

    name: str
    groups: np.ndarray


def compute_report(predictions: Predictions, n_draws: int = N_DRAWS, area_draws: int = N_AREA_DRAWS) -> dict[str, Any]:
    """Judge a model by its answers.

    Parameters
    ----------
    predictions : Predictions of one image or more

    Returns
    -------
    dict with
        images, source_cells, effective_cells, not_answered : numbers
        figures : name -> {value, interval, plain_interval}; accuracy, balanced_accuracy, kappa, {macro,weighted}_{precision,
            recall,f1}, roc_auc and average_precision (means over classes, each against the others), log_loss and ece
            (of the answered images), confident_right (accuracy of the confident images), held_back (share of all images
            that are not confident), wrong_not_confident (share of the wrong images that are not)
        votes : {value, interval}, share of source cells that are right by the class of the largest summed probability
        status : images of each status
        classes : class -> {support, source_cells, and precision, recall, f1, roc_auc, average_precision as in `figures`}
        confusion : counts, rows true, columns predicted, the last column not answered

    `percentile_interval` is the 95 % bootstrap over source cells, `plain_interval` the same as if every image were a cell of its own.
    A figure that cannot be had (the recall of a class without an image, say) is null, and so is its interval.
    """
    number = np.unique(predictions.groups, return_inverse=True)[1]
    units = (_ResamplingUnit("interval", number), _ResamplingUnit("plain_interval", np.arange(len(number))))
    n_classes = len(predictions.class_names)
    metrics = _measure_confusion(predictions, units, n_draws) | _measure_shares(predictions, units, n_draws)
    metrics |= _measure_areas(predictions, units, area_draws) | _measure_calibration(predictions, units, area_draws)
    support = np.bincount(predictions.y_true, minlength=n_classes)
    return {
        "images": len(number),
        "source_cells": int(number.max()) + 1,
        "effective_cells": round(effective_sample_size(number), 1),
        "not_answered": int((predictions.y_pred == NO_PREDICTION).sum()),
        "figures": {name: metrics[name] for name in _list_metric_names()},
        "classes": {
            name: {
                "support": int(support[index]),
                "source_cells": len(np.unique(number[predictions.y_true == index])),
                **{
                    metric: metrics[f"{metric} {index}"] for metric in (*_CLASS_METRICS, "roc_auc", "average_precision")
                },
            }
            for index, name in enumerate(predictions.class_names)
        },
        "votes": _measure_votes(predictions, number, n_draws),
        "status": {name: int((predictions.status == name).sum()) for name in CELL_STATUSES},
        "confusion": count_confusions(predictions.y_true, predictions.y_pred, n_classes, NO_PREDICTION).tolist(),
    }


def _list_metric_names() -> tuple[str, ...]:
    means = tuple(f"{kind}_{metric}" for kind in ("macro", "weighted") for metric in _CLASS_METRICS)
    areas = ("roc_auc", "average_precision")
    return ("accuracy", "balanced_accuracy", "kappa", *means, *areas, "log_loss", "ece", *_STATUS_METRICS)


def _add_intervals(names: list[str], measured: np.ndarray, draws: dict[str, np.ndarray]) -> dict[str, Any]:
    """Figures (F,) with their draws by way, (samples, F)."""
    found = {}
    for index, name in enumerate(names):
        bounds = {
            unit: [_round_finite(bound) for bound in percentile_interval(drawn[:, index])]
            for unit, drawn in draws.items()
        }
        known = {unit: None if None in both else both for unit, both in bounds.items()}
        found[name] = {"value": _round_finite(measured[index]), **known}
    return found


def _measure_confusion(predictions: Predictions, units: tuple[_ResamplingUnit, ...], n_draws: int) -> dict[str, Any]:
    """What follows from the confusion matrix."""
    true, pred, n_classes = predictions.y_true, predictions.y_pred, len(predictions.class_names)
    names = ["accuracy", "balanced_accuracy", "kappa"]
    names += [f"{kind}_{metric}" for kind in ("macro", "weighted") for metric in _CLASS_METRICS]
    names += [f"{metric} {index}" for metric in _CLASS_METRICS for index in range(n_classes)]
    sums = {unit.name: count_confusions_by_group(true, pred, unit.groups, n_classes, NO_PREDICTION) for unit in units}
    draws = {
        unit.name: resample_statistic(
            _stack_class_metrics, sums[unit.name], unit.groups, n_draws, strata=predictions.y_true
        )
        for unit in units
    }
    return _add_intervals(names, _stack_class_metrics(sums[units[0].name].sum(axis=0)[None])[0], draws)


def _stack_class_metrics(matrices: np.ndarray) -> np.ndarray:
    """Figures of matrices (samples, C, C + 1), (samples, F) in the order of `_measure_confusion`."""
    one = compute_class_metrics(matrices)
    alone = np.stack([one.accuracy, one.balanced_accuracy, one.kappa], axis=-1)
    return np.concatenate([alone, one.macro, one.weighted, one.precision, one.recall, one.f1], axis=-1)


def _measure_shares(predictions: Predictions, units: tuple[_ResamplingUnit, ...], n_draws: int) -> dict[str, Any]:
    """Means over some of the images: log loss of the answered ones, and what the statuses catch."""
    every = np.ones(len(predictions.y_true), bool)
    answered, confident = predictions.y_pred != NO_PREDICTION, predictions.status == CONFIDENT
    wrong = predictions.y_pred != predictions.y_true
    true_probs = predictions.probs[np.arange(len(every)), predictions.y_true].astype(float)
    loss = np.where(answered, -np.log(np.clip(true_probs, MIN_PROB, 1.0)), 0.0)
    names = ["log_loss", *_STATUS_METRICS]
    parts = [loss, confident & ~wrong, ~confident, wrong & ~confident]
    wholes = [answered, confident, every, wrong]

    def shares(sums: np.ndarray) -> np.ndarray:
        part, whole = sums[:, : len(names)], sums[:, len(names) :]
        return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)

    def sum_by_group(groups: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(groups, each) for each in (*parts, *wholes)], axis=1)

    draws = {
        unit.name: resample_statistic(
            shares, sum_by_group(unit.groups), unit.groups, n_draws, strata=predictions.y_true
        )
        for unit in units
    }
    return _add_intervals(names, shares(sum_by_group(units[0].groups).sum(axis=0)[None])[0], draws)


def _measure_votes(predictions: Predictions, number: np.ndarray, n_draws: int) -> dict[str, Any]:
    """Share of source cells whose largest summed probability is that of the true class (of most of its images)."""
    summed = np.zeros((number.max() + 1, len(predictions.class_names)))
    true = np.zeros_like(summed)
    np.add.at(summed, number, predictions.probs)
    np.add.at(true, (number, predictions.y_true), 1)
    is_correct = (summed.argmax(axis=1) == true.argmax(axis=1)) & (summed.sum(axis=1) > 0)
    cells = np.arange(len(is_correct))
    draws = resample_statistic(lambda sums: sums / len(is_correct), is_correct.astype(float)[:, None], cells, n_draws)
    return _add_intervals(["votes"], np.array([is_correct.mean()]), {"interval": draws})["votes"]


def _measure_areas(predictions: Predictions, units: tuple[_ResamplingUnit, ...], n_draws: int) -> dict[str, Any]:
    """Areas under the ROC and precision-recall curves: of each class against the others, and their means."""
    n_classes = len(predictions.class_names)
    each = [rank_scores(predictions.y_true == index, predictions.probs[:, index]) for index in range(n_classes)]
    names = ["roc_auc", "average_precision"]
    names += [f"{metric} {index}" for metric in ("roc_auc", "average_precision") for index in range(n_classes)]

    def areas(weights: np.ndarray) -> np.ndarray:
        roc = np.stack([roc_auc(one, weights) for one in each], axis=1)
        precision = np.stack([average_precision(one, weights) for one in each], axis=1)
        return np.concatenate([_average_finite(roc), _average_finite(precision), roc, precision], axis=1)

    draws = {unit.name: _resample_images(areas, unit.groups, predictions.y_true, n_draws) for unit in units}
    return _add_intervals(names, areas(np.ones((1, len(predictions.y_true))))[0], draws)


def _average_finite(values: np.ndarray) -> np.ndarray:
    """Mean over the classes of (samples, C) that have one, (samples, 1); NaN where none has."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1, keepdims=True)
    n_known = known.sum(axis=1, keepdims=True)
    return np.divide(total, n_known, out=np.full(total.shape, np.nan), where=n_known > 0)


def _measure_calibration(predictions: Predictions, units: tuple[_ResamplingUnit, ...], n_draws: int) -> dict[str, Any]:
    """Expected calibration error of the answered images."""
    answered = predictions.y_pred != NO_PREDICTION
    true, probs = predictions.y_true, predictions.probs

    def errors(weights: np.ndarray) -> np.ndarray:
        drawn = [np.repeat(np.flatnonzero(answered), one[answered].astype(int)) for one in weights]
        found = [expected_calibration_error(true[rows], probs[rows]) if len(rows) else np.nan for rows in drawn]
        return np.array(found)[:, None]

    draws = {unit.name: _resample_images(errors, unit.groups, true, n_draws) for unit in units}
    return _add_intervals(["ece"], errors(np.ones((1, len(true))))[0], draws)


def _resample_images(
    metric: Callable[[np.ndarray], np.ndarray], groups: np.ndarray, strata: np.ndarray, n_draws: int
) -> np.ndarray:
    """Draws of a figure that takes how often every image counts, (samples, N)."""
    parts = [
        metric(some[:, groups])
        for weights in draw_weights(groups, n_draws, strata=strata)
        for some in np.array_split(weights, -(-len(weights) // 50))
    ]
    return np.concatenate(parts)


def _round_finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
