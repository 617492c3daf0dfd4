"""Metrics that follow from a confusion matrix: of one matrix, or of thousands of resampled ones at once."""

from dataclasses import dataclass

import numpy as np

from bloodcell.evaluation.metrics.predictions import NO_PREDICTION


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of confusion matrices of shape (..., C, C + 1).

    As in scikit-learn's classification_report, precision of a class that was never predicted and F1 of one that was
    neither there nor predicted are 0; recall of a class without an image is NaN and left out of every mean.

    Attributes
    ----------
    support, precision, recall, f1 : ndarray of float64, shape (..., C)
    accuracy, balanced_accuracy, kappa : ndarray of float64, shape (...)
        Cohen's kappa takes "no prediction" as a class of its own.
    macro, weighted : ndarray of float64, shape (..., 3)
        Mean precision, recall and F1 over the classes with an image: each class alike, or by its number of images.
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


def count_confusions(
    y_true: np.ndarray, y_pred: np.ndarray, n_classes: int, no_prediction: int = NO_PREDICTION
) -> np.ndarray:
    """Count the confusion matrix.

    Parameters
    ----------
    y_true : ndarray of int, shape (N,)
        From 0 to C - 1.
    y_pred : ndarray of int, shape (N,)
        The same, or `no_prediction`.
    n_classes : int
    no_prediction : int, default -1

    Returns
    -------
    ndarray of int, shape (C, C + 1)
        Rows are true classes, columns predicted ones, the last column is no prediction.

    Examples
    --------
    >>> import numpy as np
    >>> count_confusions(np.array([0, 0, 1]), np.array([0, 1, -1]), n_classes=2).tolist()
    [[1, 1, 0], [0, 0, 1]]
    """
    one_group = np.zeros(len(y_true), int)
    matrix: np.ndarray = count_confusions_by_group(y_true, y_pred, one_group, n_classes, no_prediction).sum(axis=0)
    return matrix


def count_confusions_by_group(
    y_true: np.ndarray, y_pred: np.ndarray, groups: np.ndarray, n_classes: int, no_prediction: int = NO_PREDICTION
) -> np.ndarray:
    """Count one confusion matrix for each group.

    Parameters
    ----------
    y_true, y_pred, n_classes, no_prediction
        As in `count_confusions`.
    groups : ndarray of int, shape (N,)
        Numbers from 0 to G - 1.

    Returns
    -------
    ndarray of int, shape (G, C, C + 1)
    """
    counts = np.zeros((int(groups.max()) + 1 if len(groups) else 0, n_classes, n_classes + 1), int)
    np.add.at(counts, (groups, y_true, np.where(y_pred == no_prediction, n_classes, y_pred)), 1)
    return counts


def balanced_accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Return the mean recall of the classes present in `y_true`; an image without a prediction counts as an error.

    Parameters
    ----------
    y_true, y_pred : ndarray of int, shape (N,)

    Returns
    -------
    float
        NaN for no images.

    Examples
    --------
    >>> import numpy as np
    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    0.5
    """
    if len(y_true) == 0:
        return float("nan")
    return float(np.mean([(y_pred[y_true == index] == index).mean() for index in np.unique(y_true)]))


def compute_class_metrics(matrices: np.ndarray) -> ClassMetrics:
    """Compute every metric of confusion matrices.

    Parameters
    ----------
    matrices : ndarray, shape (..., C, C + 1)
        As `count_confusions` gives them, or weighted sums of such.

    Returns
    -------
    ClassMetrics
    """
    n_classes = matrices.shape[-2]
    correct = np.diagonal(matrices[..., :n_classes], axis1=-2, axis2=-1).astype(float)
    support, predicted = matrices.sum(axis=-1).astype(float), matrices.sum(axis=-2).astype(float)
    total = support.sum(axis=-1)
    precision = _safe_ratio(correct, predicted[..., :n_classes], 0.0)
    recall = _safe_ratio(correct, support, np.nan)
    f1 = _safe_ratio(2 * correct, support + predicted[..., :n_classes], 0.0)
    stacked = np.stack([precision, recall, f1], axis=-1)
    is_present = (support > 0)[..., None]
    accuracy = _safe_ratio(correct.sum(axis=-1), total, np.nan)
    chance = _safe_ratio((support * predicted[..., :n_classes]).sum(axis=-1), total**2, np.nan)
    macro = _weighted_mean(stacked, np.broadcast_to(is_present, stacked.shape).astype(float))
    return ClassMetrics(
        support=support,
        precision=precision,
        recall=recall,
        f1=f1,
        accuracy=accuracy,
        balanced_accuracy=macro[..., 1],
        macro=macro,
        weighted=_weighted_mean(stacked, np.broadcast_to(support[..., None], stacked.shape)),
        kappa=_safe_ratio(accuracy - chance, 1 - chance, np.nan),
    )


def _safe_ratio(part: np.ndarray, whole: np.ndarray, otherwise: float) -> np.ndarray:
    ratio: np.ndarray = np.divide(part, whole, out=np.full(np.shape(part), otherwise), where=whole > 0)
    return ratio


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average (..., C, 3) over the classes."""
    return _safe_ratio((np.nan_to_num(values) * weights).sum(axis=-2), weights.sum(axis=-2), np.nan)
