"""The epochs of a run so far: their table on the disk, and what follows from them for the next epoch.

Whether to stop, which epoch was best and how far the learning rate has come down are computed from the rows alone, so
that a resumed run decides as one that was never stopped.
"""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from bloodcell.core.io import write_atomic
from bloodcell.training.specs.train_spec import TrainSpec

# The columns of history.csv, of a classifier, a U-Net and a detector, are fields of `HistoryRow` in its order.
COLUMNS: Final = ("fit", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_balanced", "rate", "seconds")
MASK_COLUMNS: Final = (
    *("fit", "epoch", "loss", "accuracy", "val_loss", "val_accuracy"),
    *("val_dice", "val_iou", "rate", "seconds"),
)
DETECTOR_COLUMNS: Final = ("fit", "epoch", "loss", "accuracy", "val_map50", "rate", "seconds")


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """One finished epoch of a fit, a row of history.csv.

    Attributes
    ----------
    fit, epoch : int
        Counted from 1.
    loss : float
        Mean training loss of the epoch, on augmented crops; NaN where the network diverged.
    accuracy : float
        Training accuracy; of a U-Net, the share of correct pixels; of a detector, the share of centres that are marked.
    val_loss, val_accuracy : float, optional
        The same on held-out images; None where nothing is held out.
    val_balanced : float, optional
        Balanced accuracy on held-out cells, of a classifier.
    val_dice, val_iou : float, optional
        Means over held-out images, of a U-Net.
    val_map50 : float, optional
        Mean average precision at an IoU of 0.5 on held-out fields, of a detector.
    rate : float
        Learning rate of the next step.
    seconds : int
        Since the fit started, without the time between a stop and the resumption.
    """

    fit: int
    epoch: int
    loss: float
    accuracy: float
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_balanced: float | None = None
    val_dice: float | None = None
    val_iou: float | None = None
    val_map50: float | None = None
    rate: float
    seconds: int

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a row from JSON; TypeError if a column is missing or unknown."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON has it: column -> value, without those that are None."""
        return {column: value for column, value in asdict(self).items() if value is not None}


def write_history(path: Path, rows: Iterable[HistoryRow], columns: Sequence[str] = COLUMNS) -> None:
    """Write the table whole, in place of any earlier one.

    Parameters
    ----------
    path : Path
        history.csv of a run.
    rows : iterable of HistoryRow
        The epochs, in order.
    columns : sequence of str, default `COLUMNS`
        `MASK_COLUMNS` for a U-Net.
    """
    write_atomic(path, (_format_line(columns) + "".join(_format_row(row, columns) for row in rows)).encode())


def append_history(path: Path, row: HistoryRow, columns: Sequence[str] = COLUMNS) -> None:
    """Append a row to the table and flush it to the disk; a missing table is created with its header."""
    with path.open("a", encoding="utf-8", newline="") as stream:
        if stream.tell() == 0:
            stream.write(_format_line(columns))
        stream.write(_format_row(row, columns))
        stream.flush()
        os.fsync(stream.fileno())


def find_best_epoch(spec: TrainSpec, rows: Sequence[HistoryRow]) -> int:
    """Find the epoch with the best monitored metric.

    Parameters
    ----------
    spec : TrainSpec
        Its `monitor` is the metric.
    rows : sequence of HistoryRow
        Of one fit, in order, from epoch 1.

    Returns
    -------
    int
        Number of the epoch, the first of equals; 0 where no epoch has the metric.

    Examples
    --------
    >>> from bloodcell.datasets.catalog.source_spec import SourceSpec
    >>> spec = TrainSpec("mine", (SourceSpec("pbc", "pbc.zip"),), monitor="val_loss")
    >>> rows = [HistoryRow(fit=1, epoch=epoch, loss=1.0, accuracy=0.5, val_loss=val_loss, rate=0.1, seconds=epoch)
    ...         for epoch, val_loss in enumerate((0.9, 0.5, 0.5, 0.7), start=1)]
    >>> find_best_epoch(spec, rows)
    2
    """
    values = [value for row in rows if (value := getattr(row, spec.monitor)) is not None]
    if not values:
        return 0
    return values.index(min(values) if spec.monitor == "val_loss" else max(values)) + 1


def is_over(spec: TrainSpec, rows: Sequence[HistoryRow]) -> bool:
    """Return whether a fit with these epochs has ended: all epochs done, or `spec.patience` of them no better.

    The epochs of a first, frozen phase do not count against the patience.
    """
    if len(rows) >= spec.epochs:
        return True
    waited = len(rows) - max(find_best_epoch(spec, rows), spec.frozen_epochs)
    return spec.patience > 0 and waited >= spec.patience


def compute_plateau_rate(spec: TrainSpec, rows: Sequence[HistoryRow]) -> float:
    """Compute the learning rate of the next epoch under "reduce on plateau", as Keras' ReduceLROnPlateau does.

    It is multiplied by `spec.rate_factor` after every `spec.plateau_patience` epochs in a row without a better
    `spec.monitor`. The epochs of a first, frozen phase, which has a rate of its own, do not count.
    """
    rows = rows[spec.frozen_epochs :]
    rate, best, waited = spec.learning_rate, 0, 0
    for number in range(1, len(rows) + 1):
        newest = find_best_epoch(spec, rows[:number])
        waited = 0 if newest != best else waited + 1
        best = newest
        if waited >= spec.plateau_patience:
            rate, waited = rate * spec.rate_factor, 0
    return rate


def _format_row(row: HistoryRow, columns: Sequence[str]) -> str:
    values = (getattr(row, column) for column in columns)
    return _format_line(["" if value is None else str(value) for value in values])


def _format_line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()
