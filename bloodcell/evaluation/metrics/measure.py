"""Everything that is said of a model's answers, each figure with its interval over source cells and over images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bloodcell.core.labels import CELL_STATUSES, CONFIDENT
from bloodcell.evaluation.metrics.calibration import expected_calibration_error
from bloodcell.evaluation.metrics.class_metrics import class_figures, confusion, confusion_of_groups
from bloodcell.evaluation.metrics.predictions import NOT_ANSWERED, Predictions
from bloodcell.evaluation.metrics.ranking import average_precision, ranked, roc_auc
from bloodcell.evaluation.metrics.resampling import DRAWS, drawn_weights, effective_cells, interval, resampled

# Areas and the calibration error are no sums over images, so that each draw takes all images.
AREA_DRAWS = 400
LEAST_PROB = 1e-7
_MEANS = ("precision", "recall", "f1")
_STATUS_FIGURES = ("confident_right", "held_back", "wrong_not_confident")


@dataclass(frozen=True)
class _Way:
    """A way to draw: whole source cells, or single images."""

    name: str
    groups: np.ndarray


def report(predictions: Predictions, n_draws: int = DRAWS, area_draws: int = AREA_DRAWS) -> dict[str, Any]:
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

    `interval` is the 95 % bootstrap over source cells, `plain_interval` the same as if every image were a cell of its own.
    A figure that cannot be had (the recall of a class without an image, say) is null, and so is its interval.
    """
    number = np.unique(predictions.groups, return_inverse=True)[1]
    ways = (_Way("interval", number), _Way("plain_interval", np.arange(len(number))))
    n_classes = len(predictions.class_names)
    named = _counted(predictions, ways, n_draws) | _shares(predictions, ways, n_draws)
    named |= _areas(predictions, ways, area_draws) | _calibration(predictions, ways, area_draws)
    support = np.bincount(predictions.y_true, minlength=n_classes)
    return {
        "images": len(number),
        "source_cells": int(number.max()) + 1,
        "effective_cells": round(effective_cells(number), 1),
        "not_answered": int((predictions.y_pred == NOT_ANSWERED).sum()),
        "figures": {name: named[name] for name in _names()},
        "classes": {
            name: {
                "support": int(support[index]),
                "source_cells": len(np.unique(number[predictions.y_true == index])),
                **{figure: named[f"{figure} {index}"] for figure in (*_MEANS, "roc_auc", "average_precision")},
            }
            for index, name in enumerate(predictions.class_names)
        },
        "votes": _votes(predictions, number, n_draws),
        "status": {name: int((predictions.status == name).sum()) for name in CELL_STATUSES},
        "confusion": confusion(predictions.y_true, predictions.y_pred, n_classes, NOT_ANSWERED).tolist(),
    }


def _names() -> tuple[str, ...]:
    means = tuple(f"{kind}_{figure}" for kind in ("macro", "weighted") for figure in _MEANS)
    areas = ("roc_auc", "average_precision")
    return ("accuracy", "balanced_accuracy", "kappa", *means, *areas, "log_loss", "ece", *_STATUS_FIGURES)


def _with_intervals(names: list[str], measured: np.ndarray, draws: dict[str, np.ndarray]) -> dict[str, Any]:
    """Figures (F,) with their draws by way, (samples, F)."""
    found = {}
    for index, name in enumerate(names):
        bounds = {way: [_number(bound) for bound in interval(drawn[:, index])] for way, drawn in draws.items()}
        known = {way: None if None in both else both for way, both in bounds.items()}
        found[name] = {"value": _number(measured[index]), **known}
    return found


def _counted(predictions: Predictions, ways: tuple[_Way, ...], n_draws: int) -> dict[str, Any]:
    """What follows from the confusion matrix."""
    true, pred, n_classes = predictions.y_true, predictions.y_pred, len(predictions.class_names)
    names = ["accuracy", "balanced_accuracy", "kappa"]
    names += [f"{kind}_{figure}" for kind in ("macro", "weighted") for figure in _MEANS]
    names += [f"{figure} {index}" for figure in _MEANS for index in range(n_classes)]
    sums = {way.name: confusion_of_groups(true, pred, way.groups, n_classes, NOT_ANSWERED) for way in ways}
    draws = {
        way.name: resampled(_stacked, sums[way.name], way.groups, n_draws, strata=predictions.y_true) for way in ways
    }
    return _with_intervals(names, _stacked(sums[ways[0].name].sum(axis=0)[None])[0], draws)


def _stacked(matrices: np.ndarray) -> np.ndarray:
    """Figures of matrices (samples, C, C + 1), (samples, F) in the order of `_counted`."""
    one = class_figures(matrices)
    alone = np.stack([one.accuracy, one.balanced_accuracy, one.kappa], axis=-1)
    return np.concatenate([alone, one.macro, one.weighted, one.precision, one.recall, one.f1], axis=-1)


def _shares(predictions: Predictions, ways: tuple[_Way, ...], n_draws: int) -> dict[str, Any]:
    """Means over some of the images: log loss of the answered ones, and what the statuses catch."""
    every = np.ones(len(predictions.y_true), bool)
    answered, confident = predictions.y_pred != NOT_ANSWERED, predictions.status == CONFIDENT
    wrong = predictions.y_pred != predictions.y_true
    of_true = predictions.probs[np.arange(len(every)), predictions.y_true].astype(float)
    loss = np.where(answered, -np.log(np.clip(of_true, LEAST_PROB, 1.0)), 0.0)
    names = ["log_loss", *_STATUS_FIGURES]
    parts = [loss, confident & ~wrong, ~confident, wrong & ~confident]
    wholes = [answered, confident, every, wrong]

    def shares(sums: np.ndarray) -> np.ndarray:
        part, whole = sums[:, : len(names)], sums[:, len(names) :]
        return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)

    def sums_of(groups: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(groups, each) for each in (*parts, *wholes)], axis=1)

    draws = {
        way.name: resampled(shares, sums_of(way.groups), way.groups, n_draws, strata=predictions.y_true) for way in ways
    }
    return _with_intervals(names, shares(sums_of(ways[0].groups).sum(axis=0)[None])[0], draws)


def _votes(predictions: Predictions, number: np.ndarray, n_draws: int) -> dict[str, Any]:
    """Share of source cells whose largest summed probability is that of the true class (of most of its images)."""
    summed = np.zeros((number.max() + 1, len(predictions.class_names)))
    true = np.zeros_like(summed)
    np.add.at(summed, number, predictions.probs)
    np.add.at(true, (number, predictions.y_true), 1)
    right = (summed.argmax(axis=1) == true.argmax(axis=1)) & (summed.sum(axis=1) > 0)
    cells = np.arange(len(right))
    draws = resampled(lambda sums: sums / len(right), right.astype(float)[:, None], cells, n_draws)
    return _with_intervals(["votes"], np.array([right.mean()]), {"interval": draws})["votes"]


def _areas(predictions: Predictions, ways: tuple[_Way, ...], n_draws: int) -> dict[str, Any]:
    """Areas under the ROC and precision-recall curves: of each class against the others, and their means."""
    n_classes = len(predictions.class_names)
    each = [ranked(predictions.y_true == index, predictions.probs[:, index]) for index in range(n_classes)]
    names = ["roc_auc", "average_precision"]
    names += [f"{figure} {index}" for figure in ("roc_auc", "average_precision") for index in range(n_classes)]

    def areas(weights: np.ndarray) -> np.ndarray:
        roc = np.stack([roc_auc(one, weights) for one in each], axis=1)
        precision = np.stack([average_precision(one, weights) for one in each], axis=1)
        return np.concatenate([_mean_known(roc), _mean_known(precision), roc, precision], axis=1)

    draws = {way.name: _over_images(areas, way.groups, predictions.y_true, n_draws) for way in ways}
    return _with_intervals(names, areas(np.ones((1, len(predictions.y_true))))[0], draws)


def _mean_known(values: np.ndarray) -> np.ndarray:
    """Mean over the classes of (samples, C) that have one, (samples, 1); NaN where none has."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1, keepdims=True)
    n_known = known.sum(axis=1, keepdims=True)
    return np.divide(total, n_known, out=np.full(total.shape, np.nan), where=n_known > 0)


def _calibration(predictions: Predictions, ways: tuple[_Way, ...], n_draws: int) -> dict[str, Any]:
    """Expected calibration error of the answered images."""
    answered = predictions.y_pred != NOT_ANSWERED
    true, probs = predictions.y_true, predictions.probs

    def errors(weights: np.ndarray) -> np.ndarray:
        drawn = [np.repeat(np.flatnonzero(answered), one[answered].astype(int)) for one in weights]
        found = [expected_calibration_error(true[rows], probs[rows]) if len(rows) else np.nan for rows in drawn]
        return np.array(found)[:, None]

    draws = {way.name: _over_images(errors, way.groups, true, n_draws) for way in ways}
    return _with_intervals(["ece"], errors(np.ones((1, len(true))))[0], draws)


def _over_images(
    figure: Callable[[np.ndarray], np.ndarray], groups: np.ndarray, strata: np.ndarray, n_draws: int
) -> np.ndarray:
    """Draws of a figure that takes how often every image counts, (samples, N)."""
    parts = [
        figure(some[:, groups])
        for weights in drawn_weights(groups, n_draws, strata=strata)
        for some in np.array_split(weights, -(-len(weights) // 50))
    ]
    return np.concatenate(parts)


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
