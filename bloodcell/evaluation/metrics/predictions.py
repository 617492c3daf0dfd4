"""Predictions of a model on labelled images, as arrays."""

from dataclasses import dataclass
from typing import Final

import numpy as np

NO_PREDICTION: Final = -1


@dataclass(frozen=True)
class Predictions:
    """Predictions on N labelled images of C classes.

    Attributes
    ----------
    class_names : tuple of str, length C
    y_true : ndarray of int64, shape (N,)
    y_pred : ndarray of int64, shape (N,)
        `NO_PREDICTION` where no white cell was found or the image could not be read.
    probs : ndarray of float32, shape (N, C)
        Zeros where there is no prediction.
    status : ndarray of str, shape (N,)
        One of `core.labels.CELL_STATUSES`; "" where there is no prediction.
    groups : ndarray, shape (N,)
        Source cell of each image.
    boxes : ndarray of int64, shape (N, 4), optional
        Top, left, bottom, right of the predicted cell, -1 where there is none.
    """

    class_names: tuple[str, ...]
    y_true: np.ndarray
    y_pred: np.ndarray
    probs: np.ndarray
    status: np.ndarray
    groups: np.ndarray
    boxes: np.ndarray | None = None
