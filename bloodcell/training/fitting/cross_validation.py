"""Answers for cells that a network did not learn from: of one fold, or of all, each fold left out once."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from bloodcell.core.errors import DatasetError, RunError
from bloodcell.evaluation.metrics.class_metrics import balanced_accuracy
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.inference.probabilities import sigmoid, softmax
from bloodcell.inference.statuses import Thresholds, assign_statuses
from bloodcell.training.fitting.phases import fit_network
from bloodcell.training.fitting.predictions import compute_feature_statistics, predict_samples
from bloodcell.training.fitting.run_setup import TrainingRun
from bloodcell.training.output.calibration import Outputs, calibrate
from bloodcell.training.samples.imbalance import select_training_samples
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.choices import KEEP_BEST, PLATEAU
from bloodcell.training.specs.train_spec import TrainSpec


def predict_fold(spec: TrainSpec, training_run: TrainingRun, fold: int, number: int) -> tuple[Outputs, list[dict]]:
    """What a network that learned from the other folds answers for the samples of one, and the rows of its epochs.

    A fit that is finished is not done again; its weights are not kept. What Keras holds of earlier fits is given back
    first, so that memory does not grow with their number.

    Parameters
    ----------
    number : of the fit, from 1 to opened.work.fits; the same number must always mean the same spec and fold

    Raises
    ------
    StoppedError, DatasetError, RunError
        As `rounds.fit_network`.
    """
    stored = training_run.work.checkpoints.load_predictions(number)
    if stored is not None:
        return stored
    free_memory()
    held_out = training_run.samples.take(training_run.folds == fold)
    training_samples = select_training_samples(spec, training_run.samples, training_run.folds != fold)
    fitted = fit_network(spec, number, training_samples, held_out, training_run.work)
    try:
        outputs = predict_samples(
            fitted.model, spec, held_out, compute_feature_statistics(fitted.model, spec, training_samples)
        )
    except np.linalg.LinAlgError:  # features that are not numbers have no spread: it diverged
        outputs = _build_nan_outputs(spec, len(held_out.class_index))
    training_run.work.checkpoints.save_predictions(number, outputs, fitted.rows)
    return outputs, fitted.rows


def predict_out_of_fold(spec: TrainSpec, training_run: TrainingRun) -> Outputs:
    """Answers for every sample, in their order, by a network that learned from none of its source cell's copies.

    Fits 1 to spec.folds, one a fold.

    Raises
    ------
    StoppedError, DatasetError
    RunError
        As `rounds.fit_network`, and where a network diverged.
    """
    parts = []
    for fold in range(spec.folds):
        training_run.work.control.log(f"fold {fold + 1} of {spec.folds}")
        parts.append(predict_fold(spec, training_run, fold, fold + 1)[0])
        if not np.isfinite(parts[-1].logits).all():
            raise RunError(f"Fold {fold + 1} diverged, its answers are no numbers: take a lower `learning_rate`.")
    order = np.argsort(np.concatenate([np.flatnonzero(training_run.folds == fold) for fold in range(spec.folds)]))
    return Outputs(
        np.concatenate([part.logits for part in parts])[order],
        np.concatenate([part.known for part in parts if part.known is not None])[order] if spec.ood_head else None,
        np.concatenate([part.distance for part in parts])[order],
    )


def _build_nan_outputs(spec: TrainSpec, n: int) -> Outputs:
    nothing = np.full(n, np.nan, np.float32)
    return Outputs(np.full((n, len(spec.class_names)), np.nan, np.float32), nothing if spec.ood_head else None, nothing)


def compute_final_metrics(held_out: Samples, outputs: Outputs) -> dict[str, float | None]:
    """Accuracy, balanced accuracy and log loss of answers, before any calibration; samples of no class do not count.

    Where a network diverged all of its answers are the first class, and the log loss is None.

    Raises
    ------
    DatasetError
        If none of the samples is of one of the classes.
    """
    is_known = held_out.class_index != OOD
    if not is_known.any():
        raise DatasetError("The held-out fold holds no cell of any class.")
    y_true = held_out.class_index[is_known]
    probs = softmax(outputs.logits[is_known]).astype(np.float64)
    of_true = np.take_along_axis(probs, y_true[:, None], axis=1)
    loss = float(-np.log(np.maximum(of_true, np.finfo(np.float32).tiny)).mean())
    return {
        "accuracy": round(float((probs.argmax(axis=1) == y_true).mean()), 4),
        "balanced_accuracy": round(balanced_accuracy(y_true, probs.argmax(axis=1)), 4),
        "log_loss": round(loss, 4) if np.isfinite(loss) else None,
    }


def build_predictions(
    spec: TrainSpec, samples: Samples, outputs: Outputs, settings: dict[str, float] | None = None
) -> Predictions:
    """Answers for the samples of known classes as predictions with statuses, in their order.

    Parameters
    ----------
    outputs : Outputs for all of `samples`
    settings : temperature and thresholds as `calibrate` gives them; None to set them on these answers
    """
    settings = dict(calibrate(spec, samples, outputs).settings if settings is None else settings)
    known = samples.class_index != OOD
    probs = softmax(outputs.logits[known], settings.pop("temperature"))
    is_cell = None if outputs.known is None else sigmoid(outputs.known[known])
    thresholds = Thresholds(settings["min_confidence"], settings.get("min_known"), settings["max_distance"])
    status = assign_statuses(probs, is_cell, outputs.distance[known], thresholds)
    true = samples.class_index[known]
    return Predictions(spec.class_names, true, probs.argmax(axis=1), probs, status, samples.group[known])


def format_selection_note(spec: TrainSpec) -> str:
    """A sentence on figures of held-out cells by which epochs were chosen too; "" where they were not."""
    if spec.keep != KEEP_BEST and not spec.patience and spec.schedule != PLATEAU:
        return ""
    return "The course of training was chosen on the same held-out cells, so the figures are a little too kind."


def free_memory() -> None:
    """Give back what Keras and Python hold of networks that are no longer used."""
    keras.utils.clear_session()
    gc.collect()
