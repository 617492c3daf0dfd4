"""Expected calibration error and temperature scaling."""

import numpy as np
from scipy.optimize import minimize_scalar

from bloodcell.evaluation.metrics.reliability import N_BINS, reliability_bins
from bloodcell.inference.probabilities import softmax


def expected_calibration_error(y_true: np.ndarray, probs: np.ndarray, n_bins: int = N_BINS) -> float:
    """Compute the expected calibration error (ECE) [1]_: the mean gap between confidence and accuracy.

    Formula: sum over bins b of (n_b / n) * |accuracy_b - mean confidence_b|, over bins of equal width; empty bins count
    nothing.

    Parameters
    ----------
    y_true : ndarray of int, shape (N,)
    probs : ndarray of float, shape (N, C)
    n_bins : int, default 15

    Returns
    -------
    float
        0 for no images.

    References
    ----------
    .. [1] Guo et al. (2017), On calibration of modern neural networks, ICML, arXiv:1706.04599

    Examples
    --------
    >>> import numpy as np
    >>> expected_calibration_error(np.array([0, 1]), np.array([[0.75, 0.25], [0.75, 0.25]]))
    0.25
    """
    if len(y_true) == 0:
        return 0.0
    bins = reliability_bins(probs.max(axis=1), probs.argmax(axis=1) == y_true, n_bins)
    return float(sum(each.n_images / len(y_true) * abs(each.accuracy - each.confidence) for each in bins))


def remove_temperature(probs: np.ndarray, temperature: float) -> np.ndarray:
    """Undo temperature scaling: the probabilities of the network alone.

    The softmax of logits z at temperature T is proportional to exp(z / T), so its T-th power is proportional to exp(z).

    Parameters
    ----------
    probs : ndarray of float, shape (N, C)
    temperature : float
        That the logits were divided by.

    Returns
    -------
    ndarray of float64, shape (N, C)
        Rows of zeros (no prediction) stay so.
    """
    powers = probs.astype(np.float64) ** temperature
    total = powers.sum(axis=1, keepdims=True)
    unscaled: np.ndarray = np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)
    return unscaled


def fit_temperature(y_true: np.ndarray, logits: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Find the temperature with the smallest log loss [1]_, between 0.25 and 8.

    Parameters
    ----------
    y_true : ndarray of int, shape (N,)
    logits : ndarray of float, shape (N, C)
    weights : ndarray of float, shape (N,), optional
        For instance 1 / images of the same cell.

    Returns
    -------
    float

    References
    ----------
    .. [1] Guo et al. (2017), On calibration of modern neural networks, ICML, arXiv:1706.04599
    """
    weights = np.ones(len(y_true)) if weights is None else weights
    rows = np.arange(len(y_true))

    def loss(log_temperature: float) -> float:
        true_probs = softmax(logits, float(np.exp(log_temperature)))[rows, y_true].astype(np.float64)
        return float(-(weights * np.log(np.maximum(true_probs, 1e-12))).sum() / weights.sum())

    optimum = minimize_scalar(loss, bounds=(np.log(0.25), np.log(8.0)), method="bounded")
    return float(np.exp(optimum.x))
