"""ROC and precision-recall of one class against the others, with weights, so that resampling needs no new sorting."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranking:
    """N images in falling order of the probability of a class, with T distinct probabilities.

    Attributes
    ----------
    order : ndarray of int, shape (N,)
        Rows in that order.
    positive : ndarray of bool, shape (N,)
        Whether the class is the true one, in that order.
    starts : ndarray of int, shape (T,)
        Where runs of equal probabilities begin in that order.
    thresholds : ndarray of float, shape (T,)
        Their probabilities, falling.
    """

    order: np.ndarray
    positive: np.ndarray
    starts: np.ndarray
    thresholds: np.ndarray


def rank_scores(positive: np.ndarray, scores: np.ndarray) -> Ranking:
    """Sort images by their probability of a class.

    Parameters
    ----------
    positive : ndarray of bool, shape (N,), N >= 1
        Whether the class is the true one.
    scores : ndarray of float, shape (N,)

    Returns
    -------
    Ranking
    """
    order = np.argsort(-scores, kind="stable")
    in_order = scores[order]
    starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])
    return Ranking(order, positive[order], starts, in_order[starts])


def count_positives(ranking: Ranking, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count true and false positives at each threshold.

    Parameters
    ----------
    ranking : Ranking
    weights : ndarray of float, shape (samples, N)
        How often each image counts, in the order of the images.

    Returns
    -------
    true_positives, false_positives : ndarray of float, shape (samples, T)
    """
    in_order = weights[:, ranking.order]
    true = np.cumsum(np.add.reduceat(in_order * ranking.positive, ranking.starts, axis=1), axis=1)
    false = np.cumsum(np.add.reduceat(in_order * ~ranking.positive, ranking.starts, axis=1), axis=1)
    return true, false


def roc_auc(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """Compute the area under the ROC curve [1]_.

    Parameters
    ----------
    ranking : Ranking
    weights : ndarray of float, shape (samples, N)

    Returns
    -------
    ndarray of float, shape (samples,)
        NaN where all images or none are of the class.

    References
    ----------
    .. [1] Fawcett (2006), An introduction to ROC analysis, Pattern Recognition Letters 27, 861-874

    Examples
    --------
    >>> import numpy as np
    >>> ranking = rank_scores(np.array([True, False, True]), np.array([0.9, 0.6, 0.4]))
    >>> roc_auc(ranking, np.ones((1, 3))).tolist()
    [0.5]
    """
    true, false = (np.pad(counts, ((0, 0), (1, 0))) for counts in count_positives(ranking, weights))
    area = (np.diff(false, axis=1) * (true[:, 1:] + true[:, :-1]) / 2).sum(axis=1)
    whole = true[:, -1] * false[:, -1]
    auc: np.ndarray = np.divide(area, whole, out=np.full(len(area), np.nan), where=whole > 0)
    return auc


def average_precision(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    """Compute the average precision: the sum over thresholds of precision times the recall gained there.

    The same as scikit-learn's ``average_precision_score``.

    Parameters
    ----------
    ranking : Ranking
    weights : ndarray of float, shape (samples, N)

    Returns
    -------
    ndarray of float, shape (samples,)
        NaN where no image is of the class.
    """
    true, false = count_positives(ranking, weights)
    precision = np.divide(true, true + false, out=np.zeros_like(true), where=true + false > 0)
    gained = np.diff(true, axis=1, prepend=0)
    whole = true[:, -1]
    average: np.ndarray = np.divide(
        (precision * gained).sum(axis=1), whole, out=np.full(len(whole), np.nan), where=whole > 0
    )
    return average
