"""Does a probability mean what it says, and what does it cost to answer only where the model is sure?"""

from dataclasses import dataclass

import numpy as np

from bloodcell.core.labels import CONFIDENT
from bloodcell.evaluation.metrics.predictions import NOT_ANSWERED, Predictions

BINS = 15


@dataclass(frozen=True)
class Bin:
    """Images whose probability lies in [low, high), the last bin with its end: how many, how sure, how often right."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


def reliability_bins(confidence: np.ndarray, right: np.ndarray, n_bins: int = BINS) -> list[Bin]:
    """Bins of equal width of a reliability diagram [1]_; empty ones are left out.

    Parameters
    ----------
    confidence : float array of shape (N,), probability of the answer
    right : bool array of shape (N,)

    References
    ----------
    .. [1] Guo et al. (2017), On calibration of modern neural networks, ICML, arXiv:1706.04599
    """
    number = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    bins = []
    for one in np.unique(number):
        inside = number == one
        mean, share = float(confidence[inside].mean()), float(right[inside].mean())
        bins.append(Bin(one / n_bins, (one + 1) / n_bins, int(inside.sum()), mean, share))
    return bins


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of wrong answers among the surest images, for every share of images that is answered [1]_.

    Parameters
    ----------
    confidence : float array of shape (N,)
    right : bool array of shape (N,)

    Returns
    -------
    coverage, risk : float arrays of shape (T,), one entry a distinct confidence, rising coverage; empty for no images

    References
    ----------
    .. [1] Geifman & El-Yaniv (2017), Selective classification for deep neural networks, NeurIPS, arXiv:1705.08500
    """
    order = np.argsort(-confidence, kind="stable")
    in_order = confidence[order]
    ends = np.flatnonzero(np.r_[in_order[1:] != in_order[:-1], np.ones(min(1, len(order)), bool)])
    answered = ends + 1.0
    return answered / max(1, len(order)), np.cumsum(~right[order])[ends] / answered


def risk_area(coverage: np.ndarray, risk: np.ndarray) -> float:
    """Mean risk over all coverages (area under `risk_coverage`); NaN for no images."""
    if len(coverage) == 0:
        return float("nan")
    return float((risk * np.diff(coverage, prepend=0.0)).sum())


@dataclass(frozen=True)
class HowSure:
    """Whether a model knows when it is wrong, over the pictures that it answered for.

    bins : of the reliability diagram
    coverage, risk : of `risk_coverage`
    confident : (coverage, risk) of the Confident pictures; None where there is none
    """

    bins: list[Bin]
    coverage: np.ndarray
    risk: np.ndarray
    confident: tuple[float, float] | None


def how_sure(answers: Predictions) -> HowSure | None:
    """Hold probabilities and statuses against what is right; None where nothing was answered."""
    answered = answers.y_pred != NOT_ANSWERED
    if not answered.any():
        return None
    right = (answers.y_pred == answers.y_true)[answered]
    confidence = answers.probs.max(axis=1)[answered]
    is_confident = answers.status[answered] == CONFIDENT
    confident = (float(is_confident.mean()), float((~right[is_confident]).mean())) if is_confident.any() else None
    return HowSure(reliability_bins(confidence, right), *risk_coverage(confidence, right), confident)
