"""ROC and precision-recall of one class against the others, with weights, so that draws are made without sorting anew."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranking:
    """Images in falling order of the probability of a class.

    order : int array of shape (N,), rows in that order
    positive : bool array of shape (N,), whether the class is the true one, in that order
    starts : int array of shape (T,), where runs of equal probabilities begin in that order
    thresholds : float array of shape (T,), their probabilities, falling
    """

    order: np.ndarray
    positive: np.ndarray
    starts: np.ndarray
    thresholds: np.ndarray


def rank_scores(positive: np.ndarray, scores: np.ndarray) -> Ranking:
    """Sort images by their probability of a class.

    Parameters
    ----------
    positive : bool array of shape (N,), N >= 1
    scores : float array of shape (N,)
    """
    order = np.argsort(-scores, kind="stable")
    in_order = scores[order]
    starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])
    return Ranking(order, positive[order], starts, in_order[starts])


def count_positives(ranking: Ranking, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives at each threshold.

    Parameters
    ----------
    weights : float array of shape (samples, N), how often each image counts, in the order of the images

    Returns
    -------
    two float arrays of shape (samples, T)
    """
    in_order = weights[:, ranking.order]
    true = np.cumsum(np.add.reduceat(in_order * ranking.positive, ranking.starts, axis=1), axis=1)
    false = np.cumsum(np.add.reduceat(in_order * ~ranking.positive, ranking.starts, axis=1), axis=1)
    return true, false


def roc_auc(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve [1]_, (samples,); NaN where all images or none are of the class.

    References
    ----------
    .. [1] Fawcett (2006), An introduction to ROC analysis, Pattern Recognition Letters 27, 861-874
    """
    true, false = (np.pad(each, ((0, 0), (1, 0))) for each in count_positives(ranking, weights))
    area = (np.diff(false, axis=1) * (true[:, 1:] + true[:, :-1]) / 2).sum(axis=1)
    whole = true[:, -1] * false[:, -1]
    return np.divide(area, whole, out=np.full(len(area), np.nan), where=whole > 0)


def average_precision(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """Sum of precision times the recall gained at each threshold (as scikit-learn's), (samples,); NaN without the class."""
    true, false = count_positives(ranking, weights)
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)
    gained = np.diff(true, axis=1, prepend=0)
    whole = true[:, -1]
    return np.divide((precision * gained).sum(axis=1), whole, out=np.full(len(whole), np.nan), where=whole > 0)
