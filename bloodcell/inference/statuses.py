"""How far to trust one cell's label: confident, check or unfamiliar."""

from dataclasses import dataclass

import numpy as np

from bloodcell.core.labels import CHECK, CONFIDENT, UNFAMILIAR


@dataclass(frozen=True)
class Thresholds:
    """Set on validation data, stored with the model.

    min_confidence : least largest probability of a confident cell
    min_known : least probability that the crop shows a cell of one of the classes; None where the network does not
        answer that
    max_distance : largest distance from the cells the model learned from (`inference.ood`)
    """

    min_confidence: float
    min_known: float | None
    max_distance: float


def assign_statuses(
    probs: np.ndarray, known: np.ndarray | None, distance: np.ndarray | None, thresholds: Thresholds | None
) -> np.ndarray:
    """Give each cell its status.

    Parameters
    ----------
    probs : float array of shape (N, C), calibrated, rows sum to 1
    known : float array of shape (N,), probability that the crop shows a cell of one of the classes; None where the
        network does not answer that (or `min_known` is None): then distance alone makes a cell unfamiliar
    distance : float array of shape (N,), from `Typical.distance`; None where the model is not judged
    thresholds : Thresholds; None where none were measured: then nothing speaks for a cell, and all are to be checked

    Returns
    -------
    str array of shape (N,), of `classes.CELL_STATUSES`; unfamiliar outweighs check.
    """
    if thresholds is None or distance is None:
        return np.full(len(probs), CHECK)
    statuses = np.where(probs.max(axis=1) >= thresholds.min_confidence, CONFIDENT, CHECK)
    is_familiar = distance <= thresholds.max_distance
    if known is not None and thresholds.min_known is not None:
        is_familiar &= known >= thresholds.min_known
    return np.where(is_familiar, statuses, UNFAMILIAR)
