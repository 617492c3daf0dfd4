"""Does a model know when it is wrong: reliability, risk against coverage, and what the statuses flag and miss."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bloodcell.core.labels import CELL_STATUSES, CONFIDENT
from bloodcell.evaluation.metrics.predictions import NO_PREDICTION, Predictions

N_BINS: Final = 15


@dataclass(frozen=True)
class Bin:
    """Images whose predicted probability lies in [low, high); the last bin includes its end.

    Attributes
    ----------
    low, high : float
    n_images : int
    confidence : float
        Mean predicted probability.
    accuracy : float
    """

    low: float
    high: float
    n_images: int
    confidence: float
    accuracy: float


def reliability_bins(confidence: np.ndarray, is_correct: np.ndarray, n_bins: int = N_BINS) -> list[Bin]:
    """Bin images by predicted probability for a reliability diagram [1]_.

    Parameters
    ----------
    confidence : ndarray of float, shape (N,)
        Probability of the predicted class.
    is_correct : ndarray of bool, shape (N,)
    n_bins : int, default 15
        Bins of equal width between 0 and 1.

    Returns
    -------
    list of Bin
        Without the empty ones.

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
    """Compute the error rate of the most confident images, for every share of images that is kept [1]_.

    Parameters
    ----------
    confidence : ndarray of float, shape (N,)
    is_correct : ndarray of bool, shape (N,)

    Returns
    -------
    coverage, risk : ndarray of float, shape (T,)
        One entry for each distinct confidence, coverage rising; empty for no images.

    References
    ----------
    .. [1] Geifman & El-Yaniv (2017), Selective classification for deep neural networks, NeurIPS, arXiv:1705.08500

    Examples
    --------
    >>> import numpy as np
    >>> coverage, risk = risk_coverage(np.array([0.9, 0.6]), np.array([True, False]))
    >>> coverage.tolist(), risk.tolist()
    ([0.5, 1.0], [0.0, 0.5])
    """
    order = np.argsort(-confidence, kind="stable")
    in_order = confidence[order]
    ends = np.flatnonzero(np.r_[in_order[1:] != in_order[:-1], np.ones(min(1, len(order)), bool)])
    n_kept = ends + 1.0
    return n_kept / max(1, len(order)), np.cumsum(~is_correct[order])[ends] / n_kept


def risk_coverage_area(coverage: np.ndarray, risk: np.ndarray) -> float:
    """Return the mean risk over all coverages, the area under `risk_coverage`; NaN for no images."""
    if len(coverage) == 0:
        return float("nan")
    return float((risk * np.diff(coverage, prepend=0.0)).sum())


@dataclass(frozen=True)
class ConfidenceAnalysis:
    """Whether a model knows when it is wrong, over the images with a prediction.

    Attributes
    ----------
    bins : list of Bin
        Of the reliability diagram.
    coverage, risk : ndarray of float, shape (T,)
        Of `risk_coverage`.
    confident : tuple of two floats, or None
        Coverage and risk of the images with the status confident; None where there is none.
    """

    bins: list[Bin]
    coverage: np.ndarray
    risk: np.ndarray
    confident: tuple[float, float] | None


def analyse_confidence(predictions: Predictions) -> ConfidenceAnalysis | None:
    """Compare probabilities and statuses with what is correct; None where there is no prediction at all."""
    has_prediction = predictions.y_pred != NO_PREDICTION
    if not has_prediction.any():
        return None
    is_correct = (predictions.y_pred == predictions.y_true)[has_prediction]
    confidence = predictions.probs.max(axis=1)[has_prediction]
    is_confident = predictions.status[has_prediction] == CONFIDENT
    confident = (float(is_confident.mean()), float((~is_correct[is_confident]).mean())) if is_confident.any() else None
    return ConfidenceAnalysis(
        reliability_bins(confidence, is_correct), *risk_coverage(confidence, is_correct), confident
    )


@dataclass(frozen=True)
class StatusRow:
    """Images of one status, and the errors among them.

    Attributes
    ----------
    status : str
        "" for images without a prediction.
    n_images, n_errors : int
    n_errors_total : int
        Errors of all statuses together.
    """

    status: str
    n_images: int
    n_errors: int
    n_errors_total: int

    @property
    def accuracy(self) -> float | None:
        """Accuracy of its images; None where there is none."""
        return 1 - self.n_errors / self.n_images if self.n_images else None

    @property
    def share_of_errors(self) -> float | None:
        """Share of all errors that have this status; None where there is no error."""
        return self.n_errors / self.n_errors_total if self.n_errors_total else None


def count_by_status(predictions: Predictions) -> list[StatusRow]:
    """Count images and errors of each status; a row for no prediction only where there is such an image."""
    is_error = predictions.y_pred != predictions.y_true
    masks = {status: predictions.status == status for status in (*CELL_STATUSES, "")}
    return [
        StatusRow(status, int(has_status.sum()), int((has_status & is_error).sum()), int(np.sum(is_error)))
        for status, has_status in masks.items()
        if status or has_status.any()
    ]
