"""The epochs of a run so far: the table of them on the disk, and what follows from them for the next epoch.

Whether to stop, which epoch was best and how far the rate has come down are worked out from the rows alone, so that a
run that goes on after a stop decides as one that was never stopped.
"""

import csv
import io
import os
from pathlib import Path

from bloodcell.core.io import write_atomic
from bloodcell.training.specs.train_spec import TrainSpec

COLUMNS = ("fit", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_balanced", "rate", "seconds")
# Of a network of masks: accuracy is the share of pixels that are right, Dice and IoU are means over held-back pictures.
MASK_COLUMNS = (
    "fit",
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "val_dice",
    "val_iou",
    "rate",
    "seconds",
)


def write_history(path: Path, rows: list[dict], columns: tuple[str, ...] = COLUMNS) -> None:
    """Write the table whole, in place of what was there."""
    write_atomic(
        path, (_format_line(columns) + "".join(_format_line(_format_cells(row, columns)) for row in rows)).encode()
    )


def append_history(path: Path, row: dict, columns: tuple[str, ...] = COLUMNS) -> None:
    """Add a row and flush it to the disk; a missing table is begun."""
    with path.open("a", encoding="utf-8", newline="") as stream:
        if stream.tell() == 0:
            stream.write(_format_line(columns))
        stream.write(_format_line(_format_cells(row, columns)))
        stream.flush()
        os.fsync(stream.fileno())


def find_best_epoch(spec: TrainSpec, rows: list[dict]) -> int:
    """Number of the epoch with the best `spec.monitor`, the first of equals; 0 where there is none.

    Parameters
    ----------
    rows : of one fit, in order, from epoch 1
    """
    values = [row[spec.monitor] for row in rows if spec.monitor in row]
    if not values:
        return 0
    return values.index(min(values) if spec.monitor == "val_loss" else max(values)) + 1


def is_over(spec: TrainSpec, rows: list[dict]) -> bool:
    """Whether a fit with these epochs is at its end: all epochs done, or `spec.patience` of them brought nothing.

    Epochs of a first, frozen round are not counted against it.
    """
    if len(rows) >= spec.epochs:
        return True
    waited = len(rows) - max(find_best_epoch(spec, rows), spec.frozen_epochs)
    return spec.patience > 0 and waited >= spec.patience


def compute_plateau_rate(spec: TrainSpec, rows: list[dict]) -> float:
    """The rate of the next epoch under the schedule "reduce on plateau", as Keras' ReduceLROnPlateau has it.

    After every `spec.plateau_patience` epochs in a row without a better `spec.monitor` it is multiplied by
    `spec.rate_factor`. A first, frozen round has a rate of its own.
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


def _format_cells(row: dict, columns: tuple[str, ...]) -> list[str]:
    return [str(row.get(column, "")) for column in columns]


def _format_line(cells: tuple[str, ...] | list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()
