"""Folds of the samples of a run, closed over source cells and stratified by class."""

import numpy as np

from bloodcell.data.split import group_folds
from bloodcell.errors import DatasetError
from bloodcell.training.samples import UNKNOWN, Samples
from bloodcell.training.spec import TrainSpec


def fold_of_rows(spec: TrainSpec, samples: Samples) -> np.ndarray:
    """Give every sample its fold; all copies of a source cell lie in one.

    Each source is split by itself and cells of known classes before the others, so that folds stay the same when a
    source or a kind of unknown crop is added.

    Returns
    -------
    int array of shape (N,), 0 to spec.folds - 1

    Raises
    ------
    DatasetError
        If a source has fewer source cells than folds.
    """
    folds = np.zeros(len(samples.class_index), np.int64)
    has_known = np.isin(samples.group, samples.group[samples.class_index != UNKNOWN])
    for number, source in enumerate(spec.sources):
        mine = samples.source == number
        n_cells = len(np.unique(samples.group[mine]))
        if n_cells < spec.folds:
            raise DatasetError(f"{spec.folds} folds need at least {spec.folds} source cells. {source.name}: {n_cells}.")
        for part in (mine & has_known, mine & ~has_known):
            _spread(folds, np.flatnonzero(part), samples, spec.folds)
    return folds


def _spread(folds: np.ndarray, rows: np.ndarray, samples: Samples, n_folds: int) -> None:
    """Number the folds of `rows` in `folds`; a crop without a known cell follows the known cell of its image."""
    known = rows[samples.class_index[rows] != UNKNOWN]
    deciding = known if len(known) else rows
    groups = samples.group[deciding]
    if len(np.unique(groups)) < n_folds:
        folds[rows] = np.unique(samples.group[rows], return_inverse=True)[1] % n_folds
        return
    of_deciding = group_folds(samples.class_index[deciding], groups, n_folds, seed=0)
    for fold in range(n_folds):
        folds[rows[np.isin(samples.group[rows], groups[of_deciding == fold])]] = fold
