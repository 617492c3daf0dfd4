"""How far to trust the class of one cell: confident, check or unfamiliar."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bloodcell.core.labels import CHECK, CONFIDENT, UNFAMILIAR


@dataclass(frozen=True)
class Thresholds:
    """Set on validation data and stored with the model.

    Attributes
    ----------
    min_confidence : float
        A confident cell has a class of at least this probability.
    min_known : float or None
        Cells with a smaller in-distribution probability are unfamiliar; None where the network has no OOD head.
    max_distance : float
        Cells with a larger Mahalanobis score (`inference.ood`) are unfamiliar.
    """

    min_confidence: float
    min_known: float | None
    max_distance: float


def assign_statuses(
    probs: npt.NDArray[Any],
    in_distribution: npt.NDArray[Any] | None,
    distance: npt.NDArray[Any] | None,
    thresholds: Thresholds | None,
) -> npt.NDArray[np.str_]:
    """Give each cell its status.

    Parameters
    ----------
    probs : ndarray of float, shape (N, C)
        Calibrated; rows sum to 1.
    in_distribution : ndarray of float, shape (N,), or None
        Probability that the crop shows a cell of one of the classes. Where it is None, or `min_known` is, only the
        distance makes a cell unfamiliar.
    distance : ndarray of float, shape (N,), or None
        From `FeatureStatistics.distance`; None of a model without thresholds.
    thresholds : Thresholds or None
        Where none were measured, every cell is to be checked.

    Returns
    -------
    ndarray of str, shape (N,)
        Each one of `labels.CELL_STATUSES`; unfamiliar outweighs check.

    Examples
    --------
    >>> probs = np.array([[0.95, 0.05], [0.6, 0.4], [0.95, 0.05]])
    >>> assign_statuses(probs, None, np.array([1.0, 1.0, 9.0]), Thresholds(0.9, None, 3.0)).tolist()
    ['confident', 'check', 'unfamiliar']
    """
    if thresholds is None or distance is None:
        return np.full(len(probs), CHECK)
    statuses = np.where(probs.max(axis=1) >= thresholds.min_confidence, CONFIDENT, CHECK)
    is_familiar = distance <= thresholds.max_distance
    if in_distribution is not None and thresholds.min_known is not None:
        is_familiar &= in_distribution >= thresholds.min_known
    return np.where(is_familiar, statuses, UNFAMILIAR)
