"""Figures of a model on labelled images: accuracy never alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bloodcell.classes import CHECK, CONFIDENT, UNFAMILIAR
from bloodcell.evaluate.calibration import expected_calibration_error
from bloodcell.evaluate.class_figures import confusion
from bloodcell.evaluate.intervals import cluster_bootstrap

NOT_ANSWERED = -1


@dataclass(frozen=True)
class Predictions:
    """Answers on N labelled images.

    y_true : int64 (N,)
    y_pred : int64 (N,), `NOT_ANSWERED` where no white cell was found or the image could not be read
    probs : float32 (N, C), zeros where not answered
    status : str (N,), of `classes.CELL_STATUSES`; "" where not answered
    groups : (N,), source cell of each image
    boxes : int64 (N, 4), top, left, bottom, right of the cell that was answered for, -1 where there is none; None where
        they were not kept
    """

    class_names: tuple[str, ...]
    y_true: np.ndarray
    y_pred: np.ndarray
    probs: np.ndarray
    status: np.ndarray
    groups: np.ndarray
    boxes: np.ndarray | None = None


def balanced_accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean recall of the classes present in `y_true`; NaN for no rows. Images not answered count as wrong."""
    if len(y_true) == 0:
        return float("nan")
    return float(np.mean([(y_pred[y_true == c] == c).mean() for c in np.unique(y_true)]))


def figures(predictions: Predictions, n_draws: int = 2000) -> dict[str, Any]:
    """Every figure of metrics.json.

    Returns
    -------
    dict with
        images, source_cells, not_answered
        accuracy, interval : share of all images that are right, 95 % cluster bootstrap over source cells
        plain_interval : the same over images, as if copies were cells of their own; too narrow, shown for comparison
        balanced_accuracy, balanced_interval
        recall : per class {recall, interval, images, source_cells}
        vote_accuracy, vote_interval : share of source cells whose images are right by majority of summed probabilities
        ece : expected calibration error of the answered images
        confident_right : accuracy of the confident images (null if there are none)
        held_back : share of all images that are not confident
        wrong_not_confident : share of the wrong images that are not confident (null if none is wrong)
        confusion : counts, rows true, columns predicted, the last column not answered
    """
    true, pred, groups = predictions.y_true, predictions.y_pred, predictions.groups
    right = pred == true
    answered = pred != NOT_ANSWERED
    confident = predictions.status == CONFIDENT

    def accuracy(rows: np.ndarray) -> float:
        return float(right[rows].mean())

    def balanced(rows: np.ndarray) -> float:
        return balanced_accuracy(true[rows], pred[rows])

    every = np.arange(len(true))
    vote_right = _votes(predictions)
    return {
        "images": len(true),
        "source_cells": len(np.unique(groups)),
        "not_answered": int((~answered).sum()),
        "accuracy": _round(accuracy(every)),
        "interval": _interval(cluster_bootstrap(accuracy, groups, n_draws, strata=true)),
        "plain_interval": _interval(cluster_bootstrap(accuracy, every, n_draws, strata=true)),
        "balanced_accuracy": _round(balanced(every)),
        "balanced_interval": _interval(cluster_bootstrap(balanced, groups, n_draws, strata=true)),
        "recall": {
            name: _recall(right[true == index], groups[true == index], n_draws)
            for index, name in enumerate(predictions.class_names)
        },
        "vote_accuracy": _round(vote_right.mean()),
        "vote_interval": _interval(
            cluster_bootstrap(lambda rows: vote_right[rows].mean(), np.arange(len(vote_right)), n_draws)
        ),
        "ece": _round(expected_calibration_error(true[answered], predictions.probs[answered])),
        "confident_right": _round(right[confident].mean()) if confident.any() else None,
        "held_back": _round(1 - confident.mean()),
        "wrong_not_confident": _round((~confident)[~right].mean()) if (~right).any() else None,
        "status": {name: int((predictions.status == name).sum()) for name in (CONFIDENT, CHECK, UNFAMILIAR)},
        "confusion": confusion(true, pred, len(predictions.class_names), NOT_ANSWERED).tolist(),
    }


def _recall(right: np.ndarray, groups: np.ndarray, n_draws: int) -> dict[str, Any]:
    if len(right) == 0:
        return {"recall": None, "interval": None, "images": 0, "source_cells": 0}
    interval = cluster_bootstrap(lambda rows: float(right[rows].mean()), groups, n_draws)
    return {
        "recall": _round(right.mean()),
        "interval": _interval(interval),
        "images": len(right),
        "source_cells": len(np.unique(groups)),
    }


def _votes(predictions: Predictions) -> np.ndarray:
    """Per source cell: is the class with the largest summed probability the true one (of most of its images)?"""
    _, inverse = np.unique(predictions.groups, return_inverse=True)
    summed = np.zeros((inverse.max() + 1, len(predictions.class_names)))
    true = np.zeros_like(summed)
    np.add.at(summed, inverse, predictions.probs)
    np.add.at(true, (inverse, predictions.y_true), 1)
    return (summed.argmax(axis=1) == true.argmax(axis=1)) & (summed.sum(axis=1) > 0)


def _round(value: float) -> float:
    return round(float(value), 4)


def _interval(interval: tuple[float, float]) -> list[float]:
    return [round(bound, 4) for bound in interval]
