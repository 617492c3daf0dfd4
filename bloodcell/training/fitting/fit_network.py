"""Fit one network in one or two phases, checkpointed after every epoch, from its last finished epoch to its end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from bloodcell.core.progress import Pace
from bloodcell.imaging.scale import Scaling
from bloodcell.model_store.io_spec import LOGITS
from bloodcell.networks.builders.freeze import freeze_backbone, thaw_backbone
from bloodcell.networks.registry import BY_SVM, get_builder, get_network
from bloodcell.networks.settings import FROM_SCRATCH, NetworkSettings
from bloodcell.training.fitting.batch_statistics import measure_batch_statistics
from bloodcell.training.fitting.batches import DrawnBatches, build_scaling, cut_centre_crops
from bloodcell.training.fitting.callbacks import FitCallback, RunContext, check_images_exist
from bloodcell.training.fitting.losses import build_losses
from bloodcell.training.fitting.optimizers import build_optimizer
from bloodcell.training.fitting.predictions import PREDICT_BATCH, compute_quick_metrics, select_quick_samples
from bloodcell.training.fitting.svm import train_svm
from bloodcell.training.output.history import HistoryRow, compute_plateau_rate, find_best_epoch, is_over
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.choices import KEEP_BEST, PLATEAU
from bloodcell.training.specs.train_spec import TrainSpec


@dataclass(frozen=True)
class FittedNetwork:
    """A fitted network.

    Attributes
    ----------
    model : keras.Model
        The network, in float32.
    scaling : Scaling
        Scaling inside the network.
    rows : list of HistoryRow
        Its epochs; none of a network that is not trained in epochs.
    """

    model: keras.Model
    scaling: Scaling
    rows: list[HistoryRow]


def fit_network(
    spec: TrainSpec, fit: int, training_samples: Samples, held_out: Samples | None, context: RunContext
) -> FittedNetwork:
    """Build and fit a network, from its checkpoint where there is one.

    Parameters
    ----------
    spec : TrainSpec
        Settings of the fit.
    fit : int
        Number of the fit, from 1 to context.fits.
    training_samples : Samples
        What it is trained on.
    held_out : Samples or None
        What every epoch is measured on; None where nothing is held out.
    context : RunContext
        What the fits of the run share.

    Returns
    -------
    FittedNetwork

    Raises
    ------
    StoppedError
        If the user stopped it; the finished epochs are kept.
    DatasetError
        If the images vanish meanwhile, or a class has none.
    RunError
        If the checkpoint cannot be used.
    """
    keras.utils.set_random_seed(spec.seed)
    scaling = build_scaling(spec, training_samples)
    model = build_network(spec, scaling)
    context.control.log(
        f"{spec.model}: {model.count_params():,} parameters, {len(training_samples.class_index)} training crops"
    )
    if get_network(spec.model).trained_by == BY_SVM:
        return FittedNetwork(_fit_svm_head(spec, model, training_samples), scaling, [])
    rows = fit_model(spec, fit, model, training_samples, held_out, context)
    return FittedNetwork(_convert_to_float32(spec, model, scaling), scaling, rows)


def fit_model(
    spec: TrainSpec,
    fit: int,
    model: keras.Model,
    training_samples: Samples,
    held_out: Samples | None,
    context: RunContext,
) -> list[HistoryRow]:
    """Fit an existing network in place; parameters and errors as `fit_network`.

    Returns
    -------
    list of HistoryRow
        Its epochs.
    """
    batches = DrawnBatches(training_samples, spec)
    n_finished = context.checkpoints.count_epochs(fit)
    rows: list[HistoryRow] = []
    for phase in list_phases(spec):
        if n_finished > phase.end:
            continue  # its outcome is in the state of the next phase
        _compile_model(spec, model, batches, phase)
        if n_finished > phase.begin:
            rows = context.checkpoints.load_state(fit, model)
            context.control.log(f"resumes after epoch {n_finished} of {spec.epochs}")
        if len(rows) >= phase.end or is_over(spec, rows):
            model.optimizer.finalize_variable_values(model.trainable_variables)
            continue
        if phase.is_frozen:
            context.control.log(f"first phase, to epoch {phase.end}: the backbone is frozen")
        batches.epoch = len(rows)
        callback = _ClassifierCallback(spec, fit, held_out, context, rows, batches)
        model.fit(batches, initial_epoch=len(rows), epochs=phase.end, verbose=0, callbacks=[callback])
    if spec.keep == KEEP_BEST and (best := find_best_epoch(spec, rows)):
        context.checkpoints.load_best(fit, model, best)
        context.control.log(f"best checkpoint: epoch {best}")
    batches.epoch = spec.epochs
    measure_batch_statistics(model, batches)
    return rows


@dataclass(frozen=True)
class Phase:
    """Epochs `begin` + 1 to `end` of a fit, with one learning rate schedule."""

    begin: int
    end: int
    learning_rate: float
    is_frozen: bool = False


def list_phases(spec: TrainSpec) -> list[Phase]:
    """List the phases of a fit: a single one, or a first with a frozen backbone and a second of the whole network."""
    second = Phase(spec.frozen_epochs, spec.epochs, spec.learning_rate)
    return [Phase(0, spec.frozen_epochs, spec.frozen_rate, is_frozen=True), second] if spec.frozen_epochs else [second]


def build_network(spec: TrainSpec, scaling: Scaling) -> keras.Model:
    """Build the untrained network of a spec, with `scaling` inside; SpecError or ModelError if it cannot be built."""
    keras.config.set_dtype_policy("mixed_bfloat16" if spec.mixed_precision else "float32")
    settings = NetworkSettings(
        height_px=spec.height_px,
        width_px=spec.width_px,
        n_classes=len(spec.class_names),
        dropout=spec.dropout,
        scaling=scaling,
        ood_head=spec.ood_head,
        weights=spec.weights,
        stage_widths=spec.stage_widths,
        kernel_px=spec.kernel_px,
    )
    model = get_builder(spec.model)(settings)
    keras.config.set_dtype_policy("float32")
    return model


def _compile_model(spec: TrainSpec, model: keras.Model, batches: DrawnBatches, phase: Phase) -> None:
    if phase.is_frozen:
        freeze_backbone(model)
    elif spec.frozen_epochs:
        thaw_backbone(model)
    optimizer = build_optimizer(spec, len(batches), phase.end - phase.begin, phase.learning_rate)
    accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    model.compile(optimizer=optimizer, loss=build_losses(spec), weighted_metrics={LOGITS: [accuracy]})
    optimizer.build(model.trainable_variables)


def _fit_svm_head(spec: TrainSpec, model: keras.Model, training_samples: Samples) -> keras.Model:
    rows = np.flatnonzero(training_samples.class_index != OOD)
    chunks = (
        training_samples.stored_crops[rows[start : start + PREDICT_BATCH]]
        for start in range(0, len(rows), PREDICT_BATCH)
    )
    return train_svm(model, (cut_centre_crops(chunk, spec) for chunk in chunks), training_samples.class_index[rows])


def _convert_to_float32(spec: TrainSpec, model: keras.Model, scaling: Scaling) -> keras.Model:
    """Copy the weights into a network that computes in float32, as ONNX Runtime will."""
    if not spec.mixed_precision:
        return model
    converted = build_network(replace(spec, mixed_precision=False, weights=FROM_SCRATCH), scaling)
    converted.set_weights(model.get_weights())
    return converted


class _ClassifierCallback(FitCallback):
    """Measure every epoch on a few held-out cells, store the best checkpoint if asked, and stop the fit early."""

    def __init__(
        self,
        spec: TrainSpec,
        fit: int,
        held_out: Samples | None,
        context: RunContext,
        rows: list[HistoryRow],
        batches: DrawnBatches,
    ) -> None:
        super().__init__(context, rows, Pace(fit, context.fits, spec.epochs, len(batches), spec.batch_size))
        self.spec = spec
        quick = None if held_out is None else select_quick_samples(held_out)
        self.quick_samples = quick if quick is not None and len(quick.class_index) else None

    @staticmethod
    def read_accuracy(logs: Mapping[str, Any]) -> float:
        """Read the training accuracy; Keras names it by its output only where there are several."""
        return float(logs["logits_accuracy"] if "logits_accuracy" in logs else logs["accuracy"])

    def measure_epoch(self) -> dict[str, float]:
        """Measure the network on held-out cells."""
        return {} if self.quick_samples is None else compute_quick_metrics(self.model, self.quick_samples)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Finish the epoch, and stop the fit if it is over; DatasetError if the images have vanished."""
        spec = self.spec
        self.finish_epoch(epoch + 1, logs or {})
        if is_over(spec, self.rows) and epoch + 1 < spec.epochs:
            self.context.control.log(f"early stopping: no better {spec.monitor} for {spec.patience} epochs")
            self.model.stop_training = True
        check_images_exist(spec.sources, self.context.data_dir)

    def save_checkpoint(self) -> None:
        """Store the best weights before the state, which never asks for weights that are not there."""
        spec, fit, epoch = self.spec, self.pace.fit, self.rows[-1].epoch
        if spec.schedule == PLATEAU and epoch > spec.frozen_epochs:
            self.model.optimizer.learning_rate = compute_plateau_rate(spec, self.rows)
        best = find_best_epoch(spec, self.rows) if spec.keep == KEEP_BEST else 0
        if best == epoch:
            self.context.checkpoints.save_best(fit, self.model, epoch)
        super().save_checkpoint()
        if best:
            self.context.checkpoints.delete_other_epochs(fit, best)
