"""Train one model from a spec: prepare, fit, calibrate on validation, write the model folder."""

import json
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from bloodcell.core.errors import RunError
from bloodcell.core.progress import Control
from bloodcell.inference.ood import FeatureStatistics
from bloodcell.model_store.folder import OUT_OF_FOLD_FILE
from bloodcell.model_store.publish import get_unfinished_dir
from bloodcell.training.fitting.cross_validation import predict_out_of_fold
from bloodcell.training.fitting.fit_network import FittedNetwork, fit_network
from bloodcell.training.fitting.predictions import compute_feature_statistics, predict_samples
from bloodcell.training.fitting.run_setup import TrainingRun, open_training_run
from bloodcell.training.fitting.write_model import write_networks, write_records
from bloodcell.training.output.calibration import Calibration, Outputs, calibrate
from bloodcell.training.output.description import TrainMetrics, describe_model, describe_validation
from bloodcell.training.output.provenance import collect_provenance
from bloodcell.training.samples.samples import Samples, build_io_spec, find_mask_file
from bloodcell.training.specs.train_spec import TrainSpec

MODEL_DIR = "model"


@dataclass(frozen=True)
class _TrainedModel:
    """A network with what it was trained and calibrated on; `outputs` are those of `held_out`."""

    fitted: FittedNetwork
    feature_statistics: FeatureStatistics
    training_samples: Samples
    held_out: Samples
    outputs: Outputs


def train(spec: TrainSpec, data_dir: Path, run_dir: Path, cache_dir: Path, control: Control) -> TrainMetrics:
    """Train a model and leave it as a model folder, resuming where an earlier call was stopped.

    Parameters
    ----------
    spec : TrainSpec
        Settings of the run.
    data_dir : Path
        Folder that the sources' paths start from.
    run_dir : Path
        The model folder; it must not exist or be empty. Until the model is whole, everything is in
        `model_store.publish.get_unfinished_dir`.
    cache_dir : Path
        Folder for crops, shared by runs.
    control : Control
        Follows the run and may stop it.

    Returns
    -------
    TrainMetrics
        Contents of metrics.json: metrics on the validation fold, or out of fold where spec.fold is -1.

    Raises
    ------
    RunError
        If `run_dir` is not empty, the checkpoints are of another run, or a fold diverged.
    DatasetError
        If a source cannot be read, or a class has no cell.
    SpecError, ModelError
        If the network cannot be built or exported.
    StoppedError
        If the user stopped it; the finished epochs are kept.
    """
    if run_dir.exists() and any(run_dir.iterdir()):
        raise RunError(f"The run folder {run_dir} is not empty. Choose a new one.")
    work_dir = get_unfinished_dir(run_dir)
    metrics = train_in_folder(work_dir, spec, data_dir, cache_dir, control)
    (work_dir / MODEL_DIR).replace(run_dir)
    shutil.rmtree(work_dir)
    return metrics


def train_in_folder(work_dir: Path, spec: TrainSpec, data_dir: Path, cache_dir: Path, control: Control) -> TrainMetrics:
    """Train inside one folder, resuming from the checkpoint in it; its folder `model` is the model in the end.

    The folder also has history.csv, a row per epoch of every fit, and the folder `checkpoint`, which the caller may
    delete once the model is in its place. Parameters, result and errors are those of `train`.
    """
    fits = spec.folds + 1 if spec.fold < 0 else 1
    training_run = open_training_run(work_dir, spec, data_dir, cache_dir, fits, control)
    model_dir = work_dir / MODEL_DIR
    shutil.rmtree(model_dir, ignore_errors=True)
    trained = _train_on_all_folds(training_run) if spec.fold < 0 else _train_on_other_folds(training_run)
    calibration = calibrate(spec, trained.held_out, trained.outputs)
    control.log(f"validation: {json.dumps(calibration.metrics)}")
    metrics: TrainMetrics = {
        "seconds": round(time.time() - training_run.started),
        "parameters": trained.fitted.model.count_params(),
        "no_cell": training_run.samples.no_cell,
        "validation": {"protocol": describe_validation(spec), "leaky": training_run.leaky, **calibration.metrics},
    }
    _write_model(model_dir, training_run, trained, calibration, metrics)
    return metrics


def _train_on_other_folds(training_run: TrainingRun) -> _TrainedModel:
    """Train the model on all folds but one, and predict that one."""
    spec = training_run.spec
    held_out, training_samples = training_run.take_fold(spec.fold), training_run.take_training_samples(spec.fold)
    fitted = fit_network(spec, 1, training_samples, held_out, training_run.context)
    feature_statistics = compute_feature_statistics(fitted.model, training_samples)
    outputs = predict_samples(fitted.model, held_out, feature_statistics)
    return _TrainedModel(fitted, feature_statistics, training_samples, held_out, outputs)


def _train_on_all_folds(training_run: TrainingRun) -> _TrainedModel:
    """Predict each fold by a fit of the others, then train the model on everything."""
    spec = training_run.spec
    outputs = predict_out_of_fold(training_run)
    training_samples = training_run.take_training_samples()
    training_run.context.control.log("all folds, for the model")
    fitted = fit_network(spec, spec.folds + 1, training_samples, None, training_run.context)
    feature_statistics = compute_feature_statistics(fitted.model, training_samples)
    return _TrainedModel(fitted, feature_statistics, training_samples, training_run.samples, outputs)


def _write_model(
    model_dir: Path,
    training_run: TrainingRun,
    trained: _TrainedModel,
    calibration: Calibration,
    metrics: TrainMetrics,
) -> None:
    spec, samples, data_dir = training_run.spec, training_run.samples, training_run.context.data_dir
    model_dir.mkdir()
    if spec.fold < 0:
        trained.outputs.save(model_dir / OUT_OF_FOLD_FILE)
    fitted, training_samples = trained.fitted, trained.training_samples
    mask_file = find_mask_file(spec, data_dir)
    outputs = write_networks(model_dir, fitted.model, trained.feature_statistics, samples, mask_file)
    io_spec = replace(build_io_spec(spec), outputs=outputs)
    description = describe_model(spec, io_spec, samples, training_samples, fitted.scaling, calibration.settings)
    provenance = collect_provenance(
        spec.sources, data_dir, training_samples, None if spec.fold < 0 else trained.held_out
    )
    write_records(model_dir, description, metrics, fitted.rows, provenance)
