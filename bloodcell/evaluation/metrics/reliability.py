"""Does a probability mean what it says, and what does it cost to answer only where the model is sure?"""

from dataclasses import dataclass

import numpy as np

from bloodcell.core.labels import CONFIDENT
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions

N_BINS = 15


@dataclass(frozen=True)
class Bin:
    """Images whose probability lies in [low, high), the last bin with its end: how many, how sure, how often right."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


def reliability_bins(confidence: np.ndarray, is_correct: np.ndarray, n_bins: int = N_BINS) -> list[Bin]:
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
    for bin_number in np.unique(number):
        inside = number == bin_number
        mean, share = float(confidence[inside].mean()), float(is_correct[inside].mean())
        bins.append(Bin(bin_number / n_bins, (bin_number + 1) / n_bins, int(inside.sum()), mean, share))
    return bins


def risk_coverage(confidence: np.ndarray, is_correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
    return answered / max(1, len(order)), np.cumsum(~is_correct[order])[ends] / answered


def risk_coverage_area(coverage: np.ndarray, risk: np.ndarray) -> float:
    """Mean risk over all coverages (area under `risk_coverage`); NaN for no images."""
    if len(coverage) == 0:
        return float("nan")
    return float((risk * np.diff(coverage, prepend=0.0)).sum())


@dataclass(frozen=True)
class ConfidenceAnalysis:
    """Whether a model knows when it is wrong, over the pictures that it answered for.

    bins : of the reliability diagram
    coverage, risk : of `risk_coverage`
    confident : (coverage, risk) of the Confident pictures; None where there is none
    """

    bins: list[Bin]
    coverage: np.ndarray
    risk: np.ndarray
    confident: tuple[float, float] | None


def analyse_confidence(predictions: Predictions) -> ConfidenceAnalysis | None:
    """Hold probabilities and statuses against what is right; None where nothing was answered."""
    answered = predictions.y_pred != NO_PREDICTION
    if not answered.any():
        return None
    is_correct = (predictions.y_pred == predictions.y_true)[answered]
    confidence = predictions.probs.max(axis=1)[answered]
    is_confident = predictions.status[answered] == CONFIDENT
    confident = (float(is_confident.mean()), float((~is_correct[is_confident]).mean())) if is_confident.any() else None
    return ConfidenceAnalysis(
        reliability_bins(confidence, is_correct), *risk_coverage(confidence, is_correct), confident
    )
