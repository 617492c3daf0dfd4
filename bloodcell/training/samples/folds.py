"""Folds of the samples of a run: source cells stay together, classes are stratified."""

import re
from collections.abc import Sequence

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.splits.assignment import assign_folds as assign_group_folds
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.train_spec import TrainSpec

NOT_USED = -1
HOLD_OUT = {"validation": 0, "train": 1}


def assign_folds(spec: TrainSpec, samples: Samples) -> np.ndarray:
    """Assign every sample to a fold; all copies of a source cell are in the same one.

    A source with a split of its own keeps it: its parts fold0, fold1, ... are the folds, "validation" is fold 0 and
    "train" fold 1; its other images are `NOT_USED`. Every other source is split by itself, and cells of the classes
    before other cells, so that folds stay the same when a source or a kind of unknown cell is added.

    Parameters
    ----------
    spec : TrainSpec
        Its sources and number of folds.
    samples : Samples
        N samples of all sources.

    Returns
    -------
    ndarray of int64, shape (N,)
        0 to spec.folds - 1, or `NOT_USED`.

    Raises
    ------
    DatasetError
        If a source has fewer source cells than folds, or its split has other folds than the spec.
    """
    folds = np.zeros(len(samples.class_index), np.int64)
    has_class = np.isin(samples.group, samples.group[samples.class_index != OOD])
    for number, source in enumerate(spec.sources):
        in_source = samples.source == number
        if source.split and samples.part is not None:
            _apply_split(folds, np.flatnonzero(in_source), source.name, samples.part, spec)
            continue
        n_cells = len(np.unique(samples.group[in_source]))
        if n_cells < spec.folds:
            raise DatasetError(f"{spec.folds} folds need at least {spec.folds} source cells. {source.name}: {n_cells}.")
        for is_part in (in_source & has_class, in_source & ~has_class):
            _distribute_rows(folds, np.flatnonzero(is_part), samples, spec.folds)
    return folds


def _apply_split(folds: np.ndarray, rows: np.ndarray, name: str, parts: Sequence[str], spec: TrainSpec) -> None:
    """Write the folds of `rows` into `folds` as the source's split has them."""
    fold_numbers = {part: int(part[4:]) for part in set(parts) if re.fullmatch(r"fold\d{1,4}", part)}
    fold_numbers |= {} if fold_numbers else HOLD_OUT
    present = sorted({fold_numbers[parts[row]] for row in rows.tolist() if parts[row] in fold_numbers})
    if present != list(range(len(present))) or len(present) < 2:
        raise DatasetError(
            f"The split of {name} must have the parts fold0, fold1 and so on, or train and validation."
            f" Found: {', '.join(sorted({parts[row] for row in rows.tolist()}))}."
        )
    if fold_numbers == HOLD_OUT and spec.fold != HOLD_OUT["validation"]:
        raise DatasetError(f"The split of {name} has one part to hold out: `fold` must be 0. Received: {spec.fold}.")
    if fold_numbers != HOLD_OUT and len(present) != spec.folds:
        raise DatasetError(f"`folds` must be {len(present)}, as in the split of {name}. Received: {spec.folds}.")
    folds[rows] = [fold_numbers.get(parts[row], NOT_USED) for row in rows.tolist()]


def _distribute_rows(folds: np.ndarray, rows: np.ndarray, samples: Samples, n_folds: int) -> None:
    """Write the folds of `rows` into `folds`; a crop of no class follows the cell of a class in its image."""
    class_rows = rows[samples.class_index[rows] != OOD]
    deciding_rows = class_rows if len(class_rows) else rows
    groups = samples.group[deciding_rows]
    if len(np.unique(groups)) < n_folds:
        folds[rows] = np.unique(samples.group[rows], return_inverse=True)[1] % n_folds
        return
    deciding_folds = assign_group_folds(samples.class_index[deciding_rows], groups, n_folds, seed=0)
    for fold in range(n_folds):
        folds[rows[np.isin(samples.group[rows], groups[deciding_folds == fold])]] = fold
