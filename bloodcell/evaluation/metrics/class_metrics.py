"""Figures that follow from a confusion matrix: one matrix or thousands of drawn ones alike."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassMetrics:
    """Figures of confusion matrices of shape (..., C, C + 1): rows true, columns predicted, the last not answered.

    All per-class arrays have shape (..., C), all others (...). As in scikit-learn's classification_report, precision of a
    class that was never predicted and F1 of one that was neither there nor predicted are 0; recall of a class without an
    image is NaN and left out of every mean.
    """

    support: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    accuracy: np.ndarray
    balanced_accuracy: np.ndarray
    macro: np.ndarray
    weighted: np.ndarray
    kappa: np.ndarray


def count_confusions(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int, no_prediction: int = -1) -> np.ndarray:
    """Counts of shape (C, C + 1): rows true, columns predicted, the last not answered.

    Parameters
    ----------
    y_true : int array of shape (N,), from 0 to C - 1
    y_pred : int array of shape (N,), the same or `no_prediction`
    """
    together = np.zeros(len(y_true), int)
    return count_confusions_by_group(y_true, y_pred, together, n_classes, no_prediction).sum(axis=0)


def count_confusions_by_group(
    y_true: np.ndarray, y_pred: np.ndarray, groups: np.ndarray, n_classes: int, no_prediction: int = -1
) -> np.ndarray:
    """Counts of shape (G, C, C + 1), one matrix a group; `groups` are numbers from 0 to G - 1, (N,)."""
    counts = np.zeros((int(groups.max()) + 1 if len(groups) else 0, n_classes, n_classes + 1), int)
    np.add.at(counts, (groups, y_true, np.where(y_pred == no_prediction, n_classes, y_pred)), 1)
    return counts


def balanced_accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean recall of the classes present in `y_true`; NaN for no rows. Images not answered count as wrong."""
    if len(y_true) == 0:
        return float("nan")
    return float(np.mean([(y_pred[y_true == c] == c).mean() for c in np.unique(y_true)]))


def compute_class_metrics(matrices: np.ndarray) -> ClassMetrics:
    """Every figure of confusion matrices, (..., C, C + 1); see `ClassMetrics`.

    `macro` and `weighted` have shape (..., 3): mean precision, recall and F1 over classes with an image, all equal or by
    their number of images. Kappa is Cohen's, with not answered as an answer of its own.
    """
    n_classes = matrices.shape[-2]
    correct = np.diagonal(matrices[..., :n_classes], axis1=-2, axis2=-1).astype(float)
    support, predicted = matrices.sum(axis=-1).astype(float), matrices.sum(axis=-2).astype(float)
    total = support.sum(axis=-1)
    precision = _safe_ratio(correct, predicted[..., :n_classes], 0.0)
    recall = _safe_ratio(correct, support, np.nan)
    f1 = _safe_ratio(2 * correct, support + predicted[..., :n_classes], 0.0)
    each = np.stack([precision, recall, f1], axis=-1)
    is_present = (support > 0)[..., None]
    accuracy = _safe_ratio(correct.sum(axis=-1), total, np.nan)
    chance = _safe_ratio((support * predicted[..., :n_classes]).sum(axis=-1), total**2, np.nan)
    macro = _weighted_mean(each, np.broadcast_to(is_present, each.shape).astype(float))
    return ClassMetrics(
        support=support,
        precision=precision,
        recall=recall,
        f1=f1,
        accuracy=accuracy,
        balanced_accuracy=macro[..., 1],
        macro=macro,
        weighted=_weighted_mean(each, np.broadcast_to(support[..., None], each.shape)),
        kappa=_safe_ratio(accuracy - chance, 1 - chance, np.nan),
    )


def _safe_ratio(part: np.ndarray, whole: np.ndarray, otherwise: float) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(part), otherwise), where=whole > 0)


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the classes of (..., C, 3)."""
    return _safe_ratio((np.nan_to_num(values) * weights).sum(axis=-2), weights.sum(axis=-2), np.nan)
