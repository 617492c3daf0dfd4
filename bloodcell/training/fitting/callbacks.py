"""Follow one fit: report every batch, and after every epoch write its checkpoint and its row of the history."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import Control, Pace, raise_if_stopped
from bloodcell.datasets.catalog.open_sources import resolve_source_path
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.training.fitting.checkpoint import Checkpoints
from bloodcell.training.fitting.optimizers import read_learning_rate
from bloodcell.training.output.history import COLUMNS, HistoryRow, append_history


@dataclass(frozen=True)
class RunContext:
    """What the fits of a run share.

    Attributes
    ----------
    control : Control
        Follows the run and may stop it.
    checkpoints : Checkpoints
        Where the state of the fits is stored.
    history_file : Path
        Table of the epochs of all fits.
    data_dir : Path
        Folder that the sources' paths start from.
    fits : int
        Number of fits of the run.
    """

    control: Control
    checkpoints: Checkpoints
    history_file: Path
    data_dir: Path
    fits: int


class FitCallback(keras.callbacks.Callback):
    """Follow a fit of any network; a subclass measures the epochs.

    Parameters
    ----------
    context : RunContext
        What the fits of the run share.
    rows : list of HistoryRow
        Finished epochs of the fit; those that follow are appended.
    pace : Pace
        Counts the batches of the fit.
    columns : sequence of str, default `COLUMNS`
        Columns of the history.
    """

    def __init__(
        self, context: RunContext, rows: list[HistoryRow], pace: Pace, columns: Sequence[str] = COLUMNS
    ) -> None:
        super().__init__()
        self.context, self.rows, self.pace, self.columns = context, rows, pace, columns
        self.started = time.time() - (rows[-1].seconds if rows else 0)

    def on_epoch_begin(self, epoch: int, *_: Any) -> None:
        """Start the count of batches; Keras counts epochs from 0."""
        self.pace.begin_epoch(epoch + 1)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report the batch; StoppedError where the user has asked for a stop."""
        raise_if_stopped(self.context.control)
        values = logs or {}
        progress = self.pace.count_batch(batch + 1, float(values["loss"]), self.read_accuracy(values))
        if progress is not None:
            self.context.control.on_batch(progress)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Finish the epoch; Keras counts them from 0."""
        self.finish_epoch(epoch + 1, logs or {})

    @staticmethod
    def read_accuracy(logs: Mapping[str, Any]) -> float:
        """Read the training accuracy from what Keras reports after a batch."""
        return float(logs["accuracy"])

    def measure_epoch(self) -> dict[str, float]:
        """Measure the network as it is, by columns of the history."""
        return {}

    def save_checkpoint(self) -> None:
        """Store what a resumed run continues from."""
        self.context.checkpoints.save_state(self.pace.fit, self.model, self.rows)

    def finish_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Measure an epoch, counted from 1, and store it: the checkpoint first, so that no row is ahead of it."""
        control = self.context.control
        row = HistoryRow(
            fit=self.pace.fit,
            epoch=epoch,
            loss=round(float(logs["loss"]), 4),
            accuracy=round(self.read_accuracy(logs), 4),
            **self.measure_epoch(),
            rate=read_learning_rate(self.model.optimizer),
            seconds=round(time.time() - self.started),
        )
        self.rows.append(row)
        self.save_checkpoint()
        append_history(self.context.history_file, row, self.columns)
        control.on_epoch(row.to_dict())
        control.log("  ".join(f"{name} {value}" for name, value in row.to_dict().items()))


def check_images_exist(sources: Sequence[SourceSpec], data_dir: Path) -> None:
    """Raise DatasetError if images have vanished: their model could be neither checked nor trained again."""
    for source in sources:
        path = resolve_source_path(source, data_dir)
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            raise DatasetError(f"The images of {source.name} are gone from {path}; the finished epochs are kept.")
