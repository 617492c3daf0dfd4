"""From a network's logits to probabilities."""

from typing import Any

import numpy as np
import numpy.typing as npt


def softmax(logits: npt.NDArray[Any], temperature: float = 1.0) -> npt.NDArray[np.float32]:
    """Turn logits into probabilities of classes.

    Parameters
    ----------
    logits : ndarray of float, shape (N, C)
    temperature : float, default 1
        Divides the logits; higher values flatten the probabilities.

    Returns
    -------
    ndarray of float32, shape (N, C)
        Rows sum to 1.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0], [0.0, np.log(3)]])).tolist()
    [[0.5, 0.5], [0.25, 0.75]]
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    powers = np.exp(scaled)
    return np.asarray((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))


def sigmoid(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Turn logits into float32 probabilities, each by itself."""
    return (0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))).astype(np.float32)
