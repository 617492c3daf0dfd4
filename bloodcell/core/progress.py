"""Who follows a training run: what it is told on the way, and whether it shall stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from bloodcell.core.errors import StoppedError

# Called with (done, total).
OnProgress = Callable[[int, int], None]
# Asked between two steps; True ends the work with StoppedError.
ShouldStop = Callable[[], bool]

# So often at most is `Control.progress` called, whatever the length of a batch.
PROGRESS_EVERY_S = 0.5


@dataclass(frozen=True)
class Progress:
    """Where a run stands. Fits, epochs and batches are counted from 1.

    images : crops an epoch
    loss, accuracy : of this epoch so far, on augmented crops; accuracy of crops of known classes
    images_per_s : since the epoch began
    seconds_left : of all fits, at that rate, in float; a run that stops early takes less
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
    """Follows a run and does nothing; override what is wanted. Every method is called in the training thread."""

    def reading(self, source: str, done: int, total: int) -> None:
        """Called for each image of a source that is read, cropped or compared."""

    def progress(self, at: Progress) -> None:
        """Called after a batch, at most every `PROGRESS_EVERY_S`, and after the last of an epoch."""

    def on_epoch(self, row: dict) -> None:
        """Called with the epoch's row of history.csv, after its checkpoint is on the disk."""

    def log(self, line: str) -> None:
        """Called with a line of text."""

    def should_stop(self) -> bool:
        """Asked after every batch and every image read; must be quick."""
        return False


def raise_if_stopped(control: Control) -> None:
    """Raise StoppedError if the run's user has asked for it."""
    if control.should_stop():
        raise StoppedError("Training was stopped; the epochs that were finished are kept.")


class Pace:
    """Counts batches and makes `Progress` of them, no more often than `PROGRESS_EVERY_S`.

    Parameters
    ----------
    fit, fits, epochs, batches : as in Progress; `epochs` a fit, `batches` an epoch
    batch_size : crops a batch
    """

    def __init__(self, fit: int, fits: int, epochs: int, batches: int, batch_size: int) -> None:
        self.fit, self.fits, self.epochs, self.batches, self.batch_size = fit, fits, epochs, batches, batch_size
        self.epoch = 0
        self.epoch_started_at = self.reported_at = 0.0

    def begin(self, epoch: int) -> None:
        """Begin an epoch, counted from 1."""
        self.epoch = epoch
        self.epoch_started_at = time.monotonic()

    def after(self, batch: int, loss: float, accuracy: float) -> Progress | None:
        """Where the run stands after a batch, counted from 1; None where it was told of a moment ago."""
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
