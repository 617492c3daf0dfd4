"""Answers of a model on labelled images, as arrays."""

from dataclasses import dataclass

import numpy as np

NO_PREDICTION = -1


@dataclass(frozen=True)
class Predictions:
    """Answers on N labelled images.

    y_true : int64 (N,)
    y_pred : int64 (N,), `NO_PREDICTION` where no white cell was found or the image could not be read
    probs : float32 (N, C), zeros where not answered
    status : str (N,), of `classes.CELL_STATUSES`; "" where not answered
    groups : (N,), source cell of each image
    boxes : int64 (N, 4), top, left, bottom, right of the cell that was answered for, -1 where there is none; None where
        they were not kept
    """

    class_names: tuple[str, ...]
    y_true: np.ndarray
    y_pred: np.ndarray
    probs: np.ndarray
    status: np.ndarray
    groups: np.ndarray
    boxes: np.ndarray | None = None
