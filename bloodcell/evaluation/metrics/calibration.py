"""Expected calibration error and temperature scaling."""

import numpy as np
from scipy.optimize import minimize_scalar

from bloodcell.evaluation.metrics.reliability import reliability_bins
from bloodcell.inference.probabilities import softmax


def expected_calibration_error(y_true: np.ndarray, probs: np.ndarray, n_bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over bins of equal width.

    Formula: sum over bins b of (n_b / n) * |accuracy_b - mean confidence_b|; empty bins count nothing; 0 for no rows.

    Parameters
    ----------
    y_true : int array of shape (N,)
    probs : float array of shape (N, C)
    n_bins : int

    References
    ----------
    .. [1] Guo et al. (2017), On calibration of modern neural networks, ICML, arXiv:1706.04599
    """
    if len(y_true) == 0:
        return 0.0
    bins = reliability_bins(probs.max(axis=1), probs.argmax(axis=1) == y_true, n_bins)
    return float(sum(one.images / len(y_true) * abs(one.accuracy - one.confidence) for one in bins))


def remove_temperature(probs: np.ndarray, temperature: float) -> np.ndarray:
    """What the network alone had said: probabilities (N, C) before they were divided by a temperature, as logits.

    Softmax of logits z at temperature T is proportional to exp(z / T), so that its T-th power is to exp(z). Rows of
    zeros (no answer) stay so.
    """
    powers = probs.astype(np.float64) ** temperature
    total = powers.sum(axis=1, keepdims=True)
    return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)


def fit_temperature(y_true: np.ndarray, logits: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Find the temperature with the least log loss (Guo et al. 2017), between 0.25 and 8.

    Parameters
    ----------
    y_true : int array of shape (N,)
    logits : float array of shape (N, C)
    weights : float array of shape (N,), for instance 1 / copies of the cell
    """
    weights = np.ones(len(y_true)) if weights is None else weights
    rows = np.arange(len(y_true))

    def loss(log_temperature: float) -> float:
        chosen = softmax(logits, float(np.exp(log_temperature)))[rows, y_true].astype(np.float64)
        return float(-(weights * np.log(np.maximum(chosen, 1e-12))).sum() / weights.sum())

    found = minimize_scalar(loss, bounds=(np.log(0.25), np.log(8.0)), method="bounded")
    return float(np.exp(found.x))
