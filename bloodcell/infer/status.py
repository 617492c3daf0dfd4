"""How far to trust one cell's label: confident, check or unfamiliar."""

import numpy as np

from bloodcell.classes import CHECK, CONFIDENT, UNFAMILIAR


def cell_statuses(probs: np.ndarray, known: np.ndarray, min_confidence: float, min_known: float) -> np.ndarray:
    """Give each cell its status.

    Parameters
    ----------
    probs : float array of shape (N, C), calibrated, rows sum to 1
    known : float array of shape (N,), probability that the crop shows a cell of one of the classes
    min_confidence : least largest probability of a confident cell
    min_known : least `known` of a cell that is not unfamiliar

    Returns
    -------
    str array of shape (N,), of `classes.CELL_STATUSES`; unfamiliar outweighs check.
    """
    statuses = np.where(probs.max(axis=1) >= min_confidence, CONFIDENT, CHECK)
    return np.where(known >= min_known, statuses, UNFAMILIAR)
