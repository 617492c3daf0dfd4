"""Follows one fit: tells of every batch, and after every epoch writes its checkpoint and its row of the history."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import Control, Pace, raise_if_stopped
from bloodcell.datasets.catalog.open_sources import resolve_source_path
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.training.fitting.checkpoint import Checkpoints
from bloodcell.training.fitting.optimizers import read_learning_rate
from bloodcell.training.output.history import COLUMNS, append_history


@dataclass(frozen=True)
class Work:
    """What the fits of a run share: who follows, where its state goes, where its images lie, how many fits there are."""

    control: Control
    checkpoints: Checkpoints
    history_file: Path
    data_dir: Path
    fits: int


class FitCallback(keras.callbacks.Callback):
    """What following is the same for all networks; an heir says how an epoch is judged.

    Parameters
    ----------
    work : Work
    rows : of the epochs that are finished; those that follow are added
    pace : Pace of this fit
    columns : of the history
    """

    def __init__(self, work: Work, rows: list[dict], pace: Pace, columns: tuple[str, ...] = COLUMNS) -> None:
        super().__init__()
        self.work, self.rows, self.pace, self.columns = work, rows, pace, columns
        self.started = time.time() - (rows[-1]["seconds"] if rows else 0)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.pace.begin_epoch(epoch + 1)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        raise_if_stopped(self.work.control)
        values = logs or {}
        at = self.pace.count_batch(batch + 1, float(values["loss"]), self.read_accuracy(values))
        if at is not None:
            self.work.control.on_batch(at)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.end_epoch(epoch + 1, logs or {})

    @staticmethod
    def read_accuracy(logs: dict) -> float:
        """The accuracy among what Keras says after a batch."""
        return float(logs["accuracy"])

    def measure_epoch(self) -> dict[str, float]:
        """Figures of the network as it is, by columns of the history."""
        return {}

    def save(self, epoch: int) -> None:
        """Keep what a later run goes on from."""
        self.work.checkpoints.save_state(self.pace.fit, self.model, self.rows)

    def end_epoch(self, epoch: int, logs: dict) -> None:
        """Judge an epoch, counted from 1, and write it down: the checkpoint first, so that a row is never ahead of it."""
        control = self.work.control
        row = {"fit": self.pace.fit, "epoch": epoch, "loss": round(float(logs["loss"]), 4)}
        row |= {"accuracy": round(self.read_accuracy(logs), 4)} | self.measure_epoch()
        row |= {"rate": read_learning_rate(self.model.optimizer), "seconds": round(time.time() - self.started)}
        self.rows.append(row)
        self.save(epoch)
        append_history(self.work.history_file, row, self.columns)
        control.on_epoch(row)
        control.log("  ".join(f"{name} {value}" for name, value in row.items()))


def check_images_exist(sources: Sequence[SourceSpec], data_dir: Path) -> None:
    """DatasetError where images have vanished: their model could neither be checked nor trained again."""
    for source in sources:
        path = resolve_source_path(source, data_dir)
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            raise DatasetError(f"The images of {source.name} are gone from {path}; the finished epochs are kept.")
