"""Predict cells that a network was not trained on: of one fold, or of all folds, each held out once."""

import gc
import os
from typing import TypedDict

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from bloodcell.core.errors import DatasetError, RunError
from bloodcell.evaluation.metrics.class_metrics import balanced_accuracy
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.inference.probabilities import sigmoid, softmax
from bloodcell.inference.statuses import Thresholds, assign_statuses
from bloodcell.training.fitting.fit_network import fit_network
from bloodcell.training.fitting.predictions import compute_feature_statistics, predict_samples
from bloodcell.training.fitting.run_setup import TrainingRun
from bloodcell.training.output.calibration import Outputs, calibrate
from bloodcell.training.output.history import HistoryRow
from bloodcell.training.samples.samples import OOD, Samples
from bloodcell.training.specs.choices import KEEP_BEST, PLATEAU
from bloodcell.training.specs.train_spec import TrainSpec


def predict_fold(training_run: TrainingRun, fold: int, fit: int) -> tuple[Outputs, list[HistoryRow]]:
    """Train a network on the other folds and predict the samples of one.

    A finished fit is not done again; its weights are not kept. What Keras holds of earlier fits is released first, so
    that memory does not grow with their number.

    Parameters
    ----------
    training_run : TrainingRun
        The run, with the settings of the fit.
    fold : int
        The fold that is held out.
    fit : int
        Number of the fit, from 1 to the run's number of fits; one number always means the same spec and fold.

    Returns
    -------
    outputs : Outputs
        Of the samples of the fold, in order; NaN where the network diverged.
    rows : list of HistoryRow
        Epochs of the fit.

    Raises
    ------
    StoppedError, DatasetError, RunError
        As `fit_network.fit_network`.
    """
    checkpoints = training_run.context.checkpoints
    stored = checkpoints.load_predictions(fit)
    if stored is not None:
        return stored
    free_memory()
    held_out, training_samples = training_run.take_fold(fold), training_run.take_training_samples(fold)
    fitted = fit_network(training_run.spec, fit, training_samples, held_out, training_run.context)
    try:
        feature_statistics = compute_feature_statistics(fitted.model, training_samples)
        outputs = predict_samples(fitted.model, held_out, feature_statistics)
    except np.linalg.LinAlgError:  # features that are not finite have no covariance
        outputs = _build_nan_outputs(training_run.spec, len(held_out.class_index))
    checkpoints.save_predictions(fit, outputs, fitted.rows)
    return outputs, fitted.rows


def predict_out_of_fold(training_run: TrainingRun) -> Outputs:
    """Predict every sample by a network that was trained on none of its source cell's copies.

    Parameters
    ----------
    training_run : TrainingRun
        The run; its fits are numbered from 1, one per fold.

    Returns
    -------
    Outputs
        Of all samples of the run, in order.

    Raises
    ------
    StoppedError, DatasetError
        As `fit_network.fit_network`.
    RunError
        Also if a network diverged.
    """
    spec, fold_outputs = training_run.spec, []
    for fold in range(spec.folds):
        training_run.context.control.log(f"fold {fold + 1} of {spec.folds}")
        fold_outputs.append(predict_fold(training_run, fold, fold + 1)[0])
        if not np.isfinite(fold_outputs[-1].logits).all():
            raise RunError(f"Fold {fold + 1} diverged, its predictions are no numbers: take a lower `learning_rate`.")
    rows = np.concatenate([np.flatnonzero(training_run.folds == fold) for fold in range(spec.folds)])
    known = [outputs.known for outputs in fold_outputs if outputs.known is not None]
    return Outputs(
        np.concatenate([outputs.logits for outputs in fold_outputs]),
        np.concatenate(known) if spec.ood_head else None,
        np.concatenate([outputs.distance for outputs in fold_outputs]),
    ).take(np.argsort(rows))


def _build_nan_outputs(spec: TrainSpec, n: int) -> Outputs:
    nan = np.full(n, np.nan, np.float32)
    return Outputs(np.full((n, len(spec.class_names)), np.nan, np.float32), nan if spec.ood_head else None, nan)


class FinalMetrics(TypedDict):
    """Metrics at the end of a fit, before any calibration; `log_loss` is None where the network diverged."""

    accuracy: float
    balanced_accuracy: float
    log_loss: float | None


def compute_final_metrics(held_out: Samples, outputs: Outputs) -> FinalMetrics:
    """Compute accuracy, balanced accuracy and log loss, before any calibration; samples of no class do not count.

    Parameters
    ----------
    held_out : Samples
        N samples.
    outputs : Outputs
        Of the N samples; where the network diverged, every prediction is the first class.

    Returns
    -------
    FinalMetrics
        Rounded to four digits.

    Raises
    ------
    DatasetError
        If none of the samples is of one of the classes.
    """
    has_class = held_out.class_index != OOD
    if not has_class.any():
        raise DatasetError("The held-out fold has no cell of any class.")
    y_true = held_out.class_index[has_class]
    probs = softmax(outputs.logits[has_class]).astype(np.float64)
    true_probs = np.take_along_axis(probs, y_true[:, None], axis=1)
    loss = float(-np.log(np.maximum(true_probs, np.finfo(np.float32).tiny)).mean())
    return {
        "accuracy": round(float((probs.argmax(axis=1) == y_true).mean()), 4),
        "balanced_accuracy": round(balanced_accuracy(y_true, probs.argmax(axis=1)), 4),
        "log_loss": round(loss, 4) if np.isfinite(loss) else None,
    }


def build_predictions(
    spec: TrainSpec, samples: Samples, outputs: Outputs, settings: dict[str, float] | None = None
) -> Predictions:
    """Build predictions with statuses for the samples of the classes, in order.

    Parameters
    ----------
    spec : TrainSpec
        Its classes and sources.
    samples : Samples
        N samples.
    outputs : Outputs
        Of the N samples.
    settings : dict, optional
        Temperature and thresholds as `calibrate` returns them; by default they are set on these outputs.

    Returns
    -------
    Predictions
        Without the samples of no class.
    """
    settings = dict(calibrate(spec, samples, outputs).settings if settings is None else settings)
    has_class = samples.class_index != OOD
    scored = outputs.take(has_class)
    probs = softmax(scored.logits, settings.pop("temperature"))
    known = None if scored.known is None else sigmoid(scored.known)
    thresholds = Thresholds(settings["min_confidence"], settings.get("min_known"), settings["max_distance"])
    status = assign_statuses(probs, known, scored.distance, thresholds)
    y_true, y_pred = samples.class_index[has_class], probs.argmax(axis=1)
    return Predictions(spec.class_names, y_true, y_pred, probs, status, samples.group[has_class])


def format_selection_note(spec: TrainSpec) -> str:
    """Say that epochs were chosen on the cells that the metrics are measured on; "" where they were not."""
    if spec.keep != KEEP_BEST and not spec.patience and spec.schedule != PLATEAU:
        return ""
    return "Epochs were chosen on the same held-out cells, so the metrics are slightly too good."


def free_memory() -> None:
    """Release what Keras and Python hold of networks that are no longer used."""
    keras.utils.clear_session()
    gc.collect()
