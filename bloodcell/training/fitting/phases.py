"""One fit of a network: from its first or last finished epoch to its end, checkpointed after each."""

from dataclasses import dataclass, replace

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
from bloodcell.training.fitting.callbacks import FitCallback, Work, check_images_exist
from bloodcell.training.fitting.losses import build_losses
from bloodcell.training.fitting.optimizers import build_optimizer
from bloodcell.training.fitting.predictions import PREDICT_BATCH, compute_quick_metrics, select_quick_samples
from bloodcell.training.fitting.svm import train_svm
from bloodcell.training.output.history import compute_plateau_rate, find_best_epoch, is_over
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.choices import KEEP_BEST, PLATEAU
from bloodcell.training.specs.train_spec import TrainSpec


@dataclass(frozen=True)
class Fitted:
    """A fitted network with its scaling and the rows of its epochs."""

    model: keras.Model
    scaling: Scaling
    rows: list[dict]


def fit_network(
    spec: TrainSpec, number: int, training_samples: Samples, held_out: Samples | None, work: Work
) -> Fitted:
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
    scaling = build_scaling(spec, training_samples)
    model = build_network(spec, scaling)
    work.control.log(
        f"{spec.model}: {model.count_params():,} parameters, {len(training_samples.class_index)} crops to learn from"
    )
    if get_network(spec.model).trained_by == BY_SVM:
        return Fitted(_fit_svm_head(spec, model, training_samples), scaling, [])
    rows = fit_model(spec, number, model, training_samples, held_out, work)
    return Fitted(_convert_to_float32(spec, model, scaling), scaling, rows)


def fit_model(
    spec: TrainSpec, number: int, model: keras.Model, training_samples: Samples, held_out: Samples | None, work: Work
) -> list[dict]:
    """Fit a network that is there already; its weights are changed. Parameters and errors as `fit_network`.

    Returns
    -------
    list of dict, the rows of its epochs
    """
    batches = DrawnBatches(training_samples, spec)
    done = work.checkpoints.count_epochs(number)
    rows: list[dict] = []
    for part in list_phases(spec):
        if done > part.end:
            continue  # what it brought stands in the state of the next round
        _compile_model(spec, model, batches, part)
        if done > part.begin:
            rows = work.checkpoints.load_state(number, model)
            work.control.log(f"goes on after epoch {done} of {spec.epochs}")
        if len(rows) >= part.end or is_over(spec, rows):
            model.optimizer.finalize_variable_values(model.trainable_variables)
            continue
        if part.is_frozen:
            work.control.log(f"first round, to epoch {part.end}: the backbone stays as it is")
        batches.epoch = len(rows)
        callback = _ClassifierCallback(spec, number, held_out, work, rows, batches)
        model.fit(batches, initial_epoch=len(rows), epochs=part.end, verbose=0, callbacks=[callback])
    if spec.keep == KEEP_BEST and (best := find_best_epoch(spec, rows)):
        work.checkpoints.load_best(number, model, best)
        work.control.log(f"kept the weights of epoch {best}")
    batches.epoch = spec.epochs
    measure_batch_statistics(model, batches)
    return rows


@dataclass(frozen=True)
class Phase:
    """Epochs `begin` + 1 to `end` of a fit, at one course of the learning rate."""

    begin: int
    end: int
    learning_rate: float
    is_frozen: bool = False


def list_phases(spec: TrainSpec) -> list[Phase]:
    """The rounds of a fit: one, or a first with a frozen backbone and a second with all of it."""
    second = Phase(spec.frozen_epochs, spec.epochs, spec.learning_rate)
    return [Phase(0, spec.frozen_epochs, spec.frozen_rate, is_frozen=True), second] if spec.frozen_epochs else [second]


def build_network(spec: TrainSpec, scaling: Scaling) -> keras.Model:
    """The untaught network of a spec."""
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


def _compile_model(spec: TrainSpec, model: keras.Model, batches: DrawnBatches, part: Phase) -> None:
    if part.is_frozen:
        freeze_backbone(model)
    elif spec.frozen_epochs:
        thaw_backbone(model)
    optimizer = build_optimizer(spec, len(batches), part.end - part.begin, part.learning_rate)
    accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    model.compile(optimizer=optimizer, loss=build_losses(spec), weighted_metrics={LOGITS: [accuracy]})
    optimizer.build(model.trainable_variables)


def _fit_svm_head(spec: TrainSpec, model: keras.Model, training_samples: Samples) -> keras.Model:
    rows = np.flatnonzero(training_samples.class_index != OOD)
    parts = (
        training_samples.stored_crops[rows[start : start + PREDICT_BATCH]]
        for start in range(0, len(rows), PREDICT_BATCH)
    )
    return train_svm(model, (cut_centre_crops(part, spec) for part in parts), training_samples.class_index[rows])


def _convert_to_float32(spec: TrainSpec, model: keras.Model, scaling: Scaling) -> keras.Model:
    """The same weights in a network that computes in float32, as ONNX Runtime will."""
    if not spec.mixed_precision:
        return model
    plain = build_network(replace(spec, mixed_precision=False, weights=FROM_SCRATCH), scaling)
    plain.set_weights(model.get_weights())
    return plain


class _ClassifierCallback(FitCallback):
    """Judges every epoch on a few held-out cells, keeps the best weights where asked, and ends the fit where it is to end."""

    def __init__(
        self,
        spec: TrainSpec,
        number: int,
        held_out: Samples | None,
        work: Work,
        rows: list[dict],
        batches: DrawnBatches,
    ) -> None:
        super().__init__(work, rows, Pace(number, work.fits, spec.epochs, len(batches), spec.batch_size))
        self.spec = spec
        quick = None if held_out is None else select_quick_samples(held_out)
        self.quick = quick if quick is not None and len(quick.class_index) else None

    @staticmethod
    def read_accuracy(logs: dict) -> float:
        """Keras names it by its output only where there are several."""
        return float(logs["logits_accuracy"] if "logits_accuracy" in logs else logs["accuracy"])

    def measure_epoch(self) -> dict[str, float]:
        """The figures on held-out cells."""
        return {} if self.quick is None else compute_quick_metrics(self.model, self.spec, self.quick)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        spec = self.spec
        self.end_epoch(epoch + 1, logs or {})
        if is_over(spec, self.rows) and epoch + 1 < spec.epochs:
            self.work.control.log(f"no better {spec.monitor} for {spec.patience} epochs: stops here")
            self.model.stop_training = True
        check_images_exist(spec.sources, self.work.data_dir)

    def save(self, epoch: int) -> None:
        """The best weights first: a state never asks for weights that are not there."""
        spec, number = self.spec, self.pace.fit
        if spec.schedule == PLATEAU and epoch > spec.frozen_epochs:
            self.model.optimizer.learning_rate = compute_plateau_rate(spec, self.rows)
        best = find_best_epoch(spec, self.rows) if spec.keep == KEEP_BEST else 0
        if best == epoch:
            self.work.checkpoints.save_best(number, self.model, epoch)
        super().save(epoch)
        if best:
            self.work.checkpoints.delete_other_epochs(number, best)
