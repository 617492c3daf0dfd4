"""Train one model from a spec: split by source cell, fit, calibrate on validation, export, describe."""

import contextlib
import io
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from bloodcell.data.open_sources import split_of
from bloodcell.data.whole_files import write_whole
from bloodcell.errors import RunError
from bloodcell.infer.typical import Typical
from bloodcell.runs.publish import unfinished_dir
from bloodcell.runs.takes import MASK_FILE, Takes
from bloodcell.training.answers import predict, typical_of
from bloodcell.training.batches import plain_crops
from bloodcell.training.calibrate import Outputs, calibrate
from bloodcell.training.card import write_card
from bloodcell.training.checkpoint import CHECKPOINT_DIR, open_checkpoints
from bloodcell.training.control import Control, stop_if_asked
from bloodcell.training.describe import describe
from bloodcell.training.export import export_onnx
from bloodcell.training.history import HISTORY_FILE, write_history
from bloodcell.training.imbalance import learned_rows
from bloodcell.training.rounds import Fitted, Work, fit_network
from bloodcell.training.samples import Samples, load_samples, mask_file, takes_of_spec
from bloodcell.training.spec import TrainSpec
from bloodcell.training.split import NOT_USED, fold_of_rows

# Answers of the runs that the thresholds come from, in the order of `load_samples`.
OUT_OF_FOLD = "out_of_fold.npz"
MODEL_DIR = "model"


def train(spec: TrainSpec, data_dir: Path, run_dir: Path, cache_dir: Path, control: Control) -> dict:
    """Train a model and leave it as a folder that can be put on the shelf, going on where an earlier call was stopped.

    Parameters
    ----------
    data_dir : folder that the sources' paths start from
    run_dir : folder to make; it must not exist or be empty. Until the model is whole, all lies in `runs.publish.unfinished_dir`
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
    work_dir = unfinished_dir(run_dir)
    metrics = train_in(work_dir, spec, data_dir, cache_dir, control)
    (work_dir / MODEL_DIR).replace(run_dir)
    shutil.rmtree(work_dir)
    return metrics


def train_in(work_dir: Path, spec: TrainSpec, data_dir: Path, cache_dir: Path, control: Control) -> dict:
    """Train inside one folder, going on from the checkpoint in it; its folder `model` is the model in the end.

    In it lie history.csv, a row an epoch of every fit, and the folder `checkpoint`, which the caller may delete once
    the model is where it shall be. Parameters, result and errors are those of `train`.
    """
    if spec.deterministic:
        tf.config.experimental.enable_op_determinism()

    def on_progress(source: str, done: int, total: int) -> None:
        stop_if_asked(control)
        control.reading(source, done, total)

    control.log("Finding and cropping cells ...")
    samples = load_samples(spec, data_dir, cache_dir, on_progress)
    folds = fold_of_rows(spec, samples)
    if (folds == NOT_USED).any():  # test parts of splits: neither learned from nor looked at
        samples, folds = samples.take(folds != NOT_USED), folds[folds != NOT_USED]
    work_dir.mkdir(parents=True, exist_ok=True)
    model_dir = work_dir / MODEL_DIR
    shutil.rmtree(model_dir, ignore_errors=True)
    checkpoints = open_checkpoints(work_dir / CHECKPOINT_DIR, spec, samples)
    earlier = checkpoints.rows()
    write_history(work_dir / HISTORY_FILE, earlier)
    started = time.time() - sum({row["fit"]: row["seconds"] for row in earlier}.values())
    work = Work(control, checkpoints, work_dir / HISTORY_FILE, data_dir, fits=spec.folds + 1 if spec.fold < 0 else 1)
    if spec.fold < 0:
        held, learned = samples, _learned(spec, samples, folds >= 0)
        outputs = _out_of_fold(spec, samples, folds, work)
        control.log("all folds, for the model")
        fitted = fit_network(spec, work.fits, learned, None, work)
        typical = typical_of(fitted.model, spec, learned)
    else:
        held, learned = samples.take(folds == spec.fold), _learned(spec, samples, folds != spec.fold)
        fitted = fit_network(spec, 1, learned, held, work)
        typical = typical_of(fitted.model, spec, learned)
        outputs = predict(fitted.model, spec, held, typical)
    calibration = calibrate(spec, held, outputs)
    control.log(f"validation: {json.dumps(calibration.figures)}")
    leaky = leaky_sources(spec, data_dir)
    metrics: dict = {
        "seconds": round(time.time() - started),
        "parameters": fitted.model.count_params(),
        "no_cell": samples.no_cell,
        "validation": {"protocol": _protocol(spec), "leaky": leaky} | calibration.figures,
    }
    model_dir.mkdir()
    if spec.fold < 0:
        outputs.save(model_dir / OUT_OF_FOLD)
    masks = mask_file(spec, data_dir)
    if masks is not None:
        shutil.copyfile(masks, model_dir / MASK_FILE)
    takes = _write_model(model_dir, fitted, typical, samples, spec)
    description = describe(spec, takes, samples, learned, fitted.scaling, calibration.settings)
    _write_json(model_dir / "spec.json", description)
    _write_json(model_dir / "metrics.json", metrics)
    write_history(model_dir / HISTORY_FILE, fitted.rows)
    write_card(model_dir, description, metrics)
    return metrics


def _write_model(model_dir: Path, fitted: Fitted, typical: Typical, samples: Samples, spec: TrainSpec) -> Takes:
    typical.save(model_dir / "typical.npz")
    fitted.model.save(model_dir / "model.keras", include_optimizer=False)
    some = plain_crops(samples.wide[:: max(1, len(samples.wide) // 64)], spec)
    with contextlib.redirect_stdout(io.StringIO()):
        outputs = export_onnx(fitted.model, model_dir / "model.onnx", some)
    return replace(takes_of_spec(spec), outputs=outputs)


def _learned(spec: TrainSpec, samples: Samples, among: np.ndarray) -> Samples:
    rows = learned_rows(spec, samples, among)
    return samples if rows.all() else samples.take(rows)


def leaky_sources(spec: TrainSpec, data_dir: Path) -> list[str]:
    """Names of the sources whose split tears copies of one cell apart; all figures that follow are too good."""
    splits = [(source.name, split_of(source, data_dir)) for source in spec.sources]
    return [name for name, split in splits if split is not None and split.leaky]


def _protocol(spec: TrainSpec) -> str:
    if spec.fold < 0:
        return f"each source cell answered by a run that had not learned from it ({spec.folds} folds)"
    return f"fold {spec.fold} of {spec.folds}, source cells it did not learn from"


def _out_of_fold(spec: TrainSpec, samples: Samples, folds: np.ndarray, work: Work) -> Outputs:
    """Answers for every sample by a model that learned from none of its source cell's copies."""
    parts = []
    for fold in range(spec.folds):
        stored = work.checkpoints.load_answers(fold + 1)
        if stored is None:
            work.control.log(f"fold {fold + 1} of {spec.folds}, for the thresholds")
            held, learned = samples.take(folds == fold), _learned(spec, samples, folds != fold)
            fitted = fit_network(spec, fold + 1, learned, held, work)
            answers = predict(fitted.model, spec, held, typical_of(fitted.model, spec, learned))
            work.checkpoints.save_answers(fold + 1, answers, fitted.rows)
            parts.append(answers)
        else:
            parts.append(stored[0])
    order = np.argsort(np.concatenate([np.flatnonzero(folds == fold) for fold in range(spec.folds)]))
    return Outputs(
        np.concatenate([part.logits for part in parts])[order],
        np.concatenate([part.known for part in parts if part.known is not None])[order] if spec.known_head else None,
        np.concatenate([part.distance for part in parts])[order],
    )


def _write_json(path: Path, content: dict) -> None:
    write_whole(path, (json.dumps(content, indent=2) + "\n").encode())
