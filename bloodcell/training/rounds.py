"""One fit of a network: from its first or last finished epoch to its end, checkpointed after each."""

import time
from dataclasses import dataclass
from pathlib import Path

import keras

from bloodcell.errors import DatasetError
from bloodcell.imaging.scale import Scaling
from bloodcell.training.answers import quick_figures, quick_samples
from bloodcell.training.batches import DrawnBatches, scaling_of
from bloodcell.training.checkpoint import Checkpoints
from bloodcell.training.control import Control, Pace, stop_if_asked
from bloodcell.training.history import append_history, best_epoch, is_over, plateau_rate
from bloodcell.training.losses import losses_of
from bloodcell.training.optimizers import current_rate, optimizer_of
from bloodcell.training.samples import Samples
from bloodcell.training.spec import KEEP_BEST, PLATEAU, TrainSpec
from bloodcell.zoo.registry import builder_of


@dataclass(frozen=True)
class Work:
    """What the fits of a run share: who follows, where its state goes, where its images lie, how many fits there are."""

    control: Control
    checkpoints: Checkpoints
    history_file: Path
    data_dir: Path
    fits: int


@dataclass(frozen=True)
class Fitted:
    """A fitted network with its scaling and the rows of its epochs."""

    model: keras.Model
    scaling: Scaling
    rows: list[dict]


def fit_network(spec: TrainSpec, number: int, learned: Samples, held: Samples | None, work: Work) -> Fitted:
    """Fit fit `number` of a run, going on from its checkpoint where there is one.

    Parameters
    ----------
    number : from 1 to work.fits
    learned : Samples to learn from
    held : Samples to follow it by; None where nothing is held out

    Raises
    ------
    StoppedError
        If the user stopped it; the epochs that were finished are kept.
    DatasetError
        If the images vanish meanwhile, or a class has none.
    RunError
        If the checkpoint cannot be used.
    """
    keras.utils.set_random_seed(spec.seed)
    scaling = scaling_of(spec, learned)
    build = builder_of(spec.model)
    model = build(spec.side_px, len(spec.class_names), spec.stage_widths, spec.dropout, scaling=scaling)
    control = work.control
    control.log(f"{spec.model}: {model.count_params():,} parameters, {len(learned.class_index)} crops to learn from")
    batches = DrawnBatches(learned, spec)
    optimizer = optimizer_of(spec, len(batches))
    accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    model.compile(optimizer=optimizer, loss=losses_of(spec), weighted_metrics={"logits": [accuracy]})
    optimizer.build(model.trainable_variables)
    rows = work.checkpoints.load_state(number, model)
    if rows:
        control.log(f"goes on after epoch {len(rows)} of {spec.epochs}")
    if is_over(spec, rows):
        optimizer.finalize_variable_values(model.trainable_variables)
    else:
        batches.epoch = len(rows)
        follower = _Follower(spec, number, held, work, rows)
        model.fit(batches, initial_epoch=len(rows), epochs=spec.epochs, verbose=0, callbacks=[follower])
    if spec.keep == KEEP_BEST and (best := best_epoch(spec, rows)):
        work.checkpoints.load_best(number, model, best)
        control.log(f"kept the weights of epoch {best}")
    return Fitted(model, scaling, rows)


class _Follower(keras.callbacks.Callback):
    """Tells of every batch, writes history and checkpoint after every epoch, and ends the fit where it is to end."""

    def __init__(self, spec: TrainSpec, number: int, held: Samples | None, work: Work, rows: list[dict]) -> None:
        super().__init__()
        self.spec, self.number, self.work, self.rows = spec, number, work, rows
        quick = None if held is None else quick_samples(held)
        self.quick = quick if quick is not None and len(quick.class_index) else None
        batches = spec.images_per_epoch // spec.batch_size
        self.pace = Pace(number, work.fits, spec.epochs, batches, spec.batch_size)
        self.started = time.time() - (rows[-1]["seconds"] if rows else 0)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.pace.begin(epoch + 1)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        stop_if_asked(self.work.control)
        values = logs or {}
        at = self.pace.after(batch + 1, float(values["loss"]), float(values["logits_accuracy"]))
        if at is not None:
            self.work.control.progress(at)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        values, work, spec = logs or {}, self.work, self.spec
        row = {"fit": self.number, "epoch": epoch + 1, "loss": round(float(values["loss"]), 4)}
        row["accuracy"] = round(float(values["logits_accuracy"]), 4)
        if self.quick is not None:
            row |= quick_figures(self.model, spec, self.quick)
        row |= {"rate": current_rate(self.model.optimizer), "seconds": round(time.time() - self.started)}
        self.rows.append(row)
        if spec.schedule == PLATEAU:
            self.model.optimizer.learning_rate = plateau_rate(spec, self.rows)
        self._save(epoch + 1)
        append_history(work.history_file, row)
        work.control.epoch_done(row)
        work.control.log("  ".join(f"{name} {value}" for name, value in row.items()))
        if is_over(spec, self.rows) and epoch + 1 < spec.epochs:
            work.control.log(f"no better {spec.monitor} for {spec.patience} epochs: stops here")
            self.model.stop_training = True
        _images_there(spec, work.data_dir)

    def _save(self, epoch: int) -> None:
        """The best weights first: a state never asks for weights that are not there."""
        best = best_epoch(self.spec, self.rows) if self.spec.keep == KEEP_BEST else 0
        if best == epoch:
            self.work.checkpoints.save_best(self.number, self.model, epoch)
        self.work.checkpoints.save_state(self.number, self.model, self.rows)
        if best:
            self.work.checkpoints.forget_others(self.number, best)


def _images_there(spec: TrainSpec, data_dir: Path) -> None:
    """A model whose images have vanished could neither be checked nor trained again."""
    for source in spec.sources:
        path = data_dir / source.path
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            raise DatasetError(f"The images of {source.name} are gone from {path}; the finished epochs are kept.")
