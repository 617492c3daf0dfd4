"""Train one model from a spec: split by source cell, fit, calibrate on validation, export, describe."""

import contextlib
import importlib.metadata as packages
import io
import json
import os
import subprocess
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from sklearn.model_selection import StratifiedGroupKFold

from bloodcell.errors import DatasetError, RunError
from bloodcell.imaging.crop import BACKGROUND_LEVEL
from bloodcell.infer.typical import fit_typical
from bloodcell.settings import PROJECT_DIR
from bloodcell.training.batches import DrawnBatches, plain_crops
from bloodcell.training.calibrate import Outputs, calibrate
from bloodcell.training.card import write_card
from bloodcell.training.export import export_onnx
from bloodcell.training.samples import UNKNOWN, Samples, load_samples
from bloodcell.training.spec import TrainSpec
from bloodcell.zoo.registry import builder_of

# The weights that are kept are a running mean over about the last hundred steps.
EMA_MOMENTUM = 0.99
PREDICT_BATCH = 256

Log = Callable[[str], None]
OnProgress = Callable[[str, int, int], None]


def train(
    spec: TrainSpec, data_dir: Path, run_dir: Path, cache_dir: Path, log: Log, on_progress: OnProgress | None = None
) -> dict:
    """Train a model and leave it as a folder that can be put on the shelf.

    Parameters
    ----------
    data_dir : folder that the sources' paths start from
    run_dir : folder to make; it must not exist or be empty
    cache_dir : folder for crops, shared by runs
    log : called with a line of text
    on_progress : called with (name of the source, images done, images in all)

    Returns
    -------
    dict, also written as metrics.json: figures on the validation fold

    Raises
    ------
    RunError, DatasetError, SpecError
    """
    if run_dir.exists() and any(run_dir.iterdir()):
        raise RunError(f"The run folder {run_dir} is not empty: name a new one.")
    keras.utils.set_random_seed(spec.seed)
    log("Finding and cropping cells ...")
    samples = load_samples(spec, data_dir, cache_dir, on_progress)
    fit_rows, held_rows = split_rows(spec, samples)
    run_dir.mkdir(parents=True, exist_ok=True)
    log(f"{len(fit_rows)} cells to learn from, {len(held_rows)} held out for validation")
    model = builder_of(spec.model)(spec.side_px, len(spec.class_names), spec.stage_widths, spec.dropout)
    log(f"{spec.model}: {model.count_params():,} parameters")
    started = time.time()
    history = _fit(model, spec, samples.take(fit_rows), samples.take(held_rows), log)
    seconds = time.time() - started

    held = samples.take(held_rows)
    metrics: dict = {"seconds": round(seconds), "parameters": model.count_params(), "no_cell": samples.no_cell}
    learned = samples.take(fit_rows[samples.class_index[fit_rows] != UNKNOWN])
    typical = fit_typical(predict(model, spec, learned).features, learned.class_index)
    typical.save(run_dir / "typical.npz")
    calibration = calibrate(spec, held, predict(model, spec, held), typical) if len(held_rows) else None
    if calibration is not None:
        metrics["validation"] = calibration.figures
        log(f"validation: {json.dumps(calibration.figures)}")
    model.save(run_dir / "model.keras", include_optimizer=False)
    with contextlib.redirect_stdout(io.StringIO()):
        export_onnx(
            model, run_dir / "model.onnx", plain_crops(samples.wide[:: max(1, len(samples.wide) // 64)], spec.side_px)
        )
    description = describe(spec, samples, calibration.settings if calibration else None)
    _write_json(run_dir / "spec.json", description)
    _write_json(run_dir / "metrics.json", metrics)
    _write_history(run_dir / "history.csv", history)
    write_card(run_dir, description, metrics)
    return metrics


def split_rows(spec: TrainSpec, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows held out; no source cell has copies on both sides.

    Returns
    -------
    fit_rows, held_rows : int arrays; `held_rows` is empty where spec.fold is -1
    """
    rows = np.arange(len(samples.class_index))
    if spec.fold < 0:
        return rows, rows[:0]
    held = []
    for number, source in enumerate(spec.sources):
        # each source by itself, so that its folds do not change with the others
        mine = rows[samples.source == number]
        n_cells = len(np.unique(samples.group[mine]))
        if n_cells < spec.folds:
            raise DatasetError(f"{spec.folds} folds need at least {spec.folds} source cells. {source.name}: {n_cells}.")
        splitter = StratifiedGroupKFold(spec.folds, shuffle=True, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # classes with fewer cells than folds miss some folds
            _, of_fold = list(splitter.split(mine, samples.class_index[mine], samples.group[mine]))[spec.fold]
        held.append(mine[of_fold])
    held_rows = np.sort(np.concatenate(held))
    return np.setdiff1d(rows, held_rows), held_rows


def predict(model: keras.Model, spec: TrainSpec, samples: Samples) -> Outputs:
    """What the network answers for samples as it sees them in use."""
    whole = keras.Model(model.input, {**model.output, "features": model.get_layer("features").output})
    parts = []
    for start in range(0, len(samples.wide), PREDICT_BATCH):
        crops = plain_crops(samples.wide[start : start + PREDICT_BATCH], spec.side_px).astype(np.float32)
        answered = whole(crops, training=False)
        parts.append([keras.ops.convert_to_numpy(answered[name]) for name in ("logits", "known", "features")])
    logits, known, features = (np.concatenate(of_output) for of_output in zip(*parts, strict=True))
    return Outputs(logits, known[:, 0], features)


def _fit(model: keras.Model, spec: TrainSpec, fit: Samples, held: Samples, log: Log) -> list[dict]:
    batches = DrawnBatches(fit, spec)
    steps = len(batches) * spec.epochs
    warm_up = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        spec.learning_rate / 20, steps - warm_up, warmup_target=spec.learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=spec.weight_decay, global_clipnorm=1.0, use_ema=True, ema_momentum=EMA_MOMENTUM
    )
    losses = {
        "logits": keras.losses.CategoricalCrossentropy(from_logits=True),
        "known": keras.losses.BinaryCrossentropy(from_logits=True),
    }
    model.compile(optimizer=optimizer, loss=losses)
    quick = held.take(_quick_rows(held))
    history: list[dict] = []

    def after_epoch(epoch: int, logs: dict | None) -> None:
        row = {"epoch": epoch + 1, "loss": round(float((logs or {})["loss"]), 4)}
        if len(quick.class_index):
            right = predict(model, spec, quick).logits.argmax(axis=1) == quick.class_index
            recalls = [right[quick.class_index == c].mean() for c in np.unique(quick.class_index)]
            row |= {"val_accuracy": round(float(right.mean()), 4), "val_balanced": round(float(np.mean(recalls)), 4)}
        row["seconds"] = round(time.time() - started)
        history.append(row)
        log("  ".join(f"{name} {value}" for name, value in row.items()))

    started = time.time()
    model.fit(
        batches, epochs=spec.epochs, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=after_epoch)]
    )
    return history


def _quick_rows(held: Samples, per_group: int = 4) -> np.ndarray:
    """A few copies of each held-out cell, to follow training without slowing it."""
    seen: dict[int, int] = {}
    rows = []
    for row, (group, class_index) in enumerate(zip(held.group.tolist(), held.class_index.tolist(), strict=True)):
        if class_index == UNKNOWN or seen.get(group, 0) >= per_group:
            continue
        seen[group] = seen.get(group, 0) + 1
        rows.append(row)
    return np.array(rows[:2000], np.int64)


def describe(spec: TrainSpec, samples: Samples, calibration: dict | None) -> dict:
    """What spec.json of a model folder holds: all that prediction needs, and where it came from."""
    counts = {}
    for number, source in enumerate(spec.sources):
        mine = samples.class_index[samples.source == number]
        counts[source.name] = {name: int((mine == index).sum()) for index, name in enumerate(spec.class_names)} | {
            "cells": len(np.unique(samples.group[samples.source == number])),
            "unknown": int((mine == UNKNOWN).sum()),
        }
    return {
        "format": 1,
        "name": spec.name,
        "title": spec.title or spec.name,
        "class_names": list(spec.class_names),
        "side_px": spec.side_px,
        "context": spec.context,
        "scaling": f"levels 0-255, background balanced to {BACKGROUND_LEVEL}; scaled to -1..1 inside the graph",
        "views": spec.views,
        "calibration": calibration,
        "data": counts,
        "training": asdict(spec),
        "versions": _versions(),
        "revision": _revision(),
    }


def _versions() -> dict[str, str]:
    """Versions of what shapes a model; TensorFlow comes under one of two names, or not at all with another backend."""
    names = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless", "onnxruntime")
    installed = {package.metadata["Name"]: package.version for package in packages.distributions()}
    return {name: installed[name] for name in names if name in installed}


def _revision() -> str:
    """The commit of this code; "unknown" outside a checkout and where there is no git."""
    command = ["git", "-C", str(PROJECT_DIR), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return answer.stdout.strip() or "unknown"


def _write_json(path: Path, content: dict) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


def _write_history(path: Path, history: list[dict]) -> None:
    columns = list(history[0]) if history else []
    lines = [",".join(columns)] + [",".join(str(row[column]) for column in columns) for row in history]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
