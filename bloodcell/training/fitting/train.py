"""Train one model from a spec: split by source cell, fit, calibrate on validation, export, describe."""

import contextlib
import io
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from bloodcell.core.errors import RunError
from bloodcell.core.progress import Control
from bloodcell.inference.ood import FeatureStatistics
from bloodcell.model_store.folder import (
    FEATURE_STATISTICS_FILE,
    HISTORY_FILE,
    KERAS_FILE,
    MASK_FILE,
    NETWORK_FILE,
    OUT_OF_FOLD_FILE,
    ModelFolder,
)
from bloodcell.model_store.io_spec import ModelIOSpec
from bloodcell.model_store.publish import get_unfinished_dir
from bloodcell.networks.builders.keras_file import save_network
from bloodcell.training.fitting.batches import cut_centre_crops
from bloodcell.training.fitting.cross_validation import predict_out_of_fold
from bloodcell.training.fitting.export import export_onnx
from bloodcell.training.fitting.phases import Fitted, fit_network
from bloodcell.training.fitting.predictions import compute_feature_statistics, predict_samples
from bloodcell.training.fitting.run_setup import open_training_run
from bloodcell.training.output.calibration import calibrate
from bloodcell.training.output.description import describe_model
from bloodcell.training.output.history import write_history
from bloodcell.training.output.model_card import write_model_card
from bloodcell.training.output.provenance import collect_provenance
from bloodcell.training.samples.imbalance import select_training_samples
from bloodcell.training.samples.samples import Samples, build_io_spec, find_mask_file
from bloodcell.training.specs.train_spec import TrainSpec

# Answers of the runs that the thresholds come from, in the order of `load_samples`.
MODEL_DIR = "model"


def train(spec: TrainSpec, data_dir: Path, run_dir: Path, cache_dir: Path, control: Control) -> dict:
    """Train a model and leave it as a folder that can be put on the shelf, going on where an earlier call was stopped.

    Parameters
    ----------
    data_dir : folder that the sources' paths start from
    run_dir : folder to make; it must not exist or be empty. Until the model is whole, all lies in `publish.get_unfinished_dir`
    cache_dir : folder for crops, shared by runs
    control : follows the run and may stop it

    Returns
    -------
    dict, also written as metrics.json: figures on the validation fold, or out of fold where spec.fold is -1

    Raises
    ------
    StoppedError, RunError, DatasetError, SpecError
    """
    if run_dir.exists() and any(run_dir.iterdir()):
        raise RunError(f"The run folder {run_dir} is not empty: name a new one.")
    work_dir = get_unfinished_dir(run_dir)
    metrics = train_in_folder(work_dir, spec, data_dir, cache_dir, control)
    (work_dir / MODEL_DIR).replace(run_dir)
    shutil.rmtree(work_dir)
    return metrics


def train_in_folder(work_dir: Path, spec: TrainSpec, data_dir: Path, cache_dir: Path, control: Control) -> dict:
    """Train inside one folder, going on from the checkpoint in it; its folder `model` is the model in the end.

    In it lie history.csv, a row an epoch of every fit, and the folder `checkpoint`, which the caller may delete once
    the model is where it shall be. Parameters, result and errors are those of `train`.
    """
    fits = spec.folds + 1 if spec.fold < 0 else 1
    training_run = open_training_run(work_dir, spec, data_dir, cache_dir, fits, control)
    samples, folds = training_run.samples, training_run.folds
    model_dir = work_dir / MODEL_DIR
    shutil.rmtree(model_dir, ignore_errors=True)
    if spec.fold < 0:
        outputs = predict_out_of_fold(spec, training_run)
        held_out, training_samples = samples, select_training_samples(spec, samples, folds >= 0)
        control.log("all folds, for the model")
        fitted = fit_network(spec, fits, training_samples, None, training_run.work)
        feature_statistics = compute_feature_statistics(fitted.model, spec, training_samples)
    else:
        held_out, training_samples = (
            samples.take(folds == spec.fold),
            select_training_samples(spec, samples, folds != spec.fold),
        )
        fitted = fit_network(spec, 1, training_samples, held_out, training_run.work)
        feature_statistics = compute_feature_statistics(fitted.model, spec, training_samples)
        outputs = predict_samples(fitted.model, spec, held_out, feature_statistics)
    calibration = calibrate(spec, held_out, outputs)
    control.log(f"validation: {json.dumps(calibration.metrics)}")
    metrics: dict = {
        "seconds": round(time.time() - training_run.started),
        "parameters": fitted.model.count_params(),
        "no_cell": samples.no_cell,
        "validation": {"protocol": _describe_protocol(spec), "leaky": training_run.leaky} | calibration.metrics,
    }
    model_dir.mkdir()
    if spec.fold < 0:
        outputs.save(model_dir / OUT_OF_FOLD_FILE)
    masks = find_mask_file(spec, data_dir)
    if masks is not None:
        shutil.copyfile(masks, model_dir / MASK_FILE)
    io_spec = _write_model(model_dir, fitted, feature_statistics, samples, spec)
    description = describe_model(spec, io_spec, samples, training_samples, fitted.scaling, calibration.settings)
    provenance = collect_provenance(spec, data_dir, training_samples, None if spec.fold < 0 else held_out)
    folder = ModelFolder(model_dir)
    folder.write_provenance(provenance)
    folder.write_description(description)
    folder.write_metrics(metrics)
    write_history(model_dir / HISTORY_FILE, fitted.rows)
    write_model_card(model_dir, description, metrics)
    return metrics


def _write_model(
    model_dir: Path, fitted: Fitted, feature_statistics: FeatureStatistics, samples: Samples, spec: TrainSpec
) -> ModelIOSpec:
    feature_statistics.save(model_dir / FEATURE_STATISTICS_FILE)
    save_network(fitted.model, model_dir / KERAS_FILE)
    some = cut_centre_crops(samples.stored_crops[:: max(1, len(samples.stored_crops) // 64)], spec)
    with contextlib.redirect_stdout(io.StringIO()):
        outputs = export_onnx(fitted.model, model_dir / NETWORK_FILE, some)
    return replace(build_io_spec(spec), outputs=outputs)


def _describe_protocol(spec: TrainSpec) -> str:
    if spec.fold < 0:
        return f"each source cell answered by a run that had not learned from it ({spec.folds} folds)"
    return f"fold {spec.fold} of {spec.folds}, source cells it did not learn from"
