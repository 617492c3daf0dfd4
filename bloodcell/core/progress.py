"""How long work tells of its progress and is stopped: two callables, and an observer for what has epochs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bloodcell.core.errors import StoppedError

# Called with (done, total).
OnProgress = Callable[[int, int], None]
# Called with (what is being done, done, total).
OnStep = Callable[[str, int, int], None]
# Asked often, so it must be quick; True ends the work by StoppedError.
ShouldStop = Callable[[], bool]

# `Control.on_batch` is called at most this often, whatever the length of a batch.
PROGRESS_EVERY_S = 0.5


@dataclass(frozen=True)
class Progress:
    """Where a run stands. Fits, epochs and batches are counted from 1.

    Attributes
    ----------
    fit, fits : int
        The fit of the run, of how many: folds or repeats.
    epoch, epochs : int
        The epoch of the fit, of how many.
    batch, batches : int
        The batch of the epoch, of how many.
    images : int
        Crops per epoch.
    loss, accuracy : float
        Of this epoch so far, on augmented crops; the accuracy over crops of known classes.
    images_per_s : float
        Since the epoch began.
    seconds_left : float
        For all fits, at that rate; a run that stops early takes less.
    """

    fit: int
    fits: int
    epoch: int
    epochs: int
    batch: int
    batches: int
    images: int
    loss: float
    accuracy: float
    images_per_s: float
    seconds_left: float


class Control:
    """Follow a training run and do nothing; override what is wanted. Every method is called in the training thread."""

    def on_reading(self, source: str, done: int, total: int) -> None:
        """Note that an image of a source was read, cropped or compared."""

    def on_batch(self, progress: Progress) -> None:
        """Note where the run stands: after a batch, at most every `PROGRESS_EVERY_S`, and after the last of an epoch."""

    def on_epoch(self, row: dict[str, Any]) -> None:
        """Note an epoch by its row of history.csv, after its checkpoint is on the disk."""

    def log(self, line: str) -> None:
        """Note a line of text."""

    def should_stop(self) -> bool:
        """Return whether the run shall stop; asked after every batch and every image read, so it must be quick."""
        return False


def raise_if_stopped(control: Control) -> None:
    """Raise StoppedError if the user has asked for it."""
    if control.should_stop():
        raise StoppedError("Training was stopped; the finished epochs are kept.")


class Pace:
    """Count batches and make `Progress` of them, no more often than `PROGRESS_EVERY_S`.

    Parameters
    ----------
    fit, fits : int
        As in `Progress`.
    epochs : int
        Per fit.
    batches : int
        Per epoch.
    batch_size : int
        Crops per batch.
    """

    def __init__(self, fit: int, fits: int, epochs: int, batches: int, batch_size: int) -> None:
        self.fit, self.fits, self.epochs, self.batches, self.batch_size = fit, fits, epochs, batches, batch_size
        self.epoch = 0
        self.epoch_started_at = self.reported_at = 0.0

    def begin_epoch(self, epoch: int) -> None:
        """Begin an epoch, counted from 1."""
        self.epoch = epoch
        self.epoch_started_at = time.monotonic()

    def count_batch(self, batch: int, loss: float, accuracy: float) -> Progress | None:
        """Return where the run stands after a batch, counted from 1; None where that was told a moment ago."""
        now = time.monotonic()
        if now - self.reported_at < PROGRESS_EVERY_S and batch < self.batches:
            return None
        self.reported_at = now
        batches_per_s = batch / max(now - self.epoch_started_at, 1e-6)
        batches_left = ((self.fits - self.fit + 1) * self.epochs - self.epoch + 1) * self.batches - batch
        return Progress(
            fit=self.fit,
            fits=self.fits,
            epoch=self.epoch,
            epochs=self.epochs,
            batch=batch,
            batches=self.batches,
            images=self.batches * self.batch_size,
            loss=round(loss, 4),
            accuracy=round(accuracy, 4),
            images_per_s=round(batches_per_s * self.batch_size, 1),
            seconds_left=round(batches_left / batches_per_s, 1),
        )
