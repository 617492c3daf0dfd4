"""Train one model from a spec: split by source cell, fit, calibrate on validation, export, describe."""

import contextlib
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from bloodcell.errors import RunError
from bloodcell.imaging.scale import Scaling
from bloodcell.infer.typical import Typical, fit_typical
from bloodcell.training.batches import DrawnBatches, plain_crops, scaling_of
from bloodcell.training.calibrate import Outputs, calibrate
from bloodcell.training.card import write_card
from bloodcell.training.describe import describe
from bloodcell.training.export import export_onnx
from bloodcell.training.imbalance import learned_rows
from bloodcell.training.losses import losses_of
from bloodcell.training.samples import UNKNOWN, Samples, load_samples
from bloodcell.training.spec import TrainSpec
from bloodcell.training.split import fold_of_rows
from bloodcell.zoo.registry import builder_of
from bloodcell.zoo.settings import NetworkSettings

# The weights that are kept are a running mean over about the last hundred steps.
EMA_MOMENTUM = 0.99
PREDICT_BATCH = 256
# Answers of the runs that the thresholds come from, in the order of `load_samples`.
OUT_OF_FOLD = "out_of_fold.npz"

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
    dict, also written as metrics.json: figures on the validation fold, or out of fold where spec.fold is -1

    Raises
    ------
    RunError, DatasetError, SpecError
    """
    if run_dir.exists() and any(run_dir.iterdir()):
        raise RunError(f"The run folder {run_dir} is not empty: name a new one.")
    log("Finding and cropping cells ...")
    samples = load_samples(spec, data_dir, cache_dir, on_progress)
    folds = fold_of_rows(spec, samples)
    run_dir.mkdir(parents=True, exist_ok=True)
    started = time.time()
    if spec.fold < 0:
        held, fit = samples, _learned(spec, samples, folds >= 0)
        outputs = _out_of_fold(spec, samples, folds, log)
        outputs.save(run_dir / OUT_OF_FOLD)
        log("all folds, for the model")
        model, scaling, history = _fit(spec, fit, None, log)
        typical = _typical(model, spec, fit)
    else:
        held, fit = samples.take(folds == spec.fold), _learned(spec, samples, folds != spec.fold)
        model, scaling, history = _fit(spec, fit, held, log)
        typical = _typical(model, spec, fit)
        outputs = predict(model, spec, held, typical)
    calibration = calibrate(spec, held, outputs)
    log(f"validation: {json.dumps(calibration.figures)}")
    metrics: dict = {
        "seconds": round(time.time() - started),
        "parameters": model.count_params(),
        "no_cell": samples.no_cell,
        "validation": {"protocol": _protocol(spec)} | calibration.figures,
    }
    typical.save(run_dir / "typical.npz")
    model.save(run_dir / "model.keras", include_optimizer=False)
    with contextlib.redirect_stdout(io.StringIO()):
        export_onnx(
            model, run_dir / "model.onnx", plain_crops(samples.wide[:: max(1, len(samples.wide) // 64)], spec.side_px)
        )
    description = describe(spec, samples, fit, scaling, calibration.settings)
    _write_json(run_dir / "spec.json", description)
    _write_json(run_dir / "metrics.json", metrics)
    _write_history(run_dir / "history.csv", history)
    write_card(run_dir, description, metrics)
    return metrics


def _learned(spec: TrainSpec, samples: Samples, among: np.ndarray) -> Samples:
    rows = learned_rows(spec, samples, among)
    return samples if rows.all() else samples.take(rows)


def _protocol(spec: TrainSpec) -> str:
    if spec.fold < 0:
        return f"each source cell answered by a run that had not learned from it ({spec.folds} folds)"
    return f"fold {spec.fold} of {spec.folds}, source cells it did not learn from"


def _out_of_fold(spec: TrainSpec, samples: Samples, folds: np.ndarray, log: Log) -> Outputs:
    """Answers for every sample by a model that learned from none of its source cell's copies."""
    parts = []
    for fold in range(spec.folds):
        log(f"fold {fold + 1} of {spec.folds}, for the thresholds")
        held, fit = samples.take(folds == fold), _learned(spec, samples, folds != fold)
        model, _, _ = _fit(spec, fit, held, log)
        parts.append(predict(model, spec, held, _typical(model, spec, fit)))
    order = np.argsort(np.concatenate([np.flatnonzero(folds == fold) for fold in range(spec.folds)]))
    return Outputs(
        np.concatenate([part.logits for part in parts])[order],
        np.concatenate([part.known for part in parts])[order],
        np.concatenate([part.distance for part in parts])[order],
    )


def _typical(model: keras.Model, spec: TrainSpec, fit: Samples) -> Typical:
    learned = fit.take(fit.class_index != UNKNOWN)
    return fit_typical(_raw(model, spec, learned)[2], learned.class_index)


def predict(model: keras.Model, spec: TrainSpec, samples: Samples, typical: Typical) -> Outputs:
    """What the network answers for samples as it sees them in use."""
    logits, known, features = _raw(model, spec, samples)
    return Outputs(logits, known, typical.distance(features))


def _raw(model: keras.Model, spec: TrainSpec, samples: Samples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (N, C), known (N,) and features (N, F)."""
    whole = keras.Model(model.input, {**model.output, "features": model.get_layer("features").output})
    parts = []
    for start in range(0, len(samples.wide), PREDICT_BATCH):
        crops = plain_crops(samples.wide[start : start + PREDICT_BATCH], spec.side_px).astype(np.float32)
        answered = whole(crops, training=False)
        parts.append([keras.ops.convert_to_numpy(answered[name]) for name in ("logits", "known", "features")])
    logits, known, features = (np.concatenate(of_output) for of_output in zip(*parts, strict=True))
    return logits, known[:, 0], features


def _fit(spec: TrainSpec, fit: Samples, held: Samples | None, log: Log) -> tuple[keras.Model, Scaling, list[dict]]:
    keras.utils.set_random_seed(spec.seed)
    scaling = scaling_of(spec, fit)
    build = builder_of(spec.model)
    model = build(
        NetworkSettings(
            height_px=spec.side_px,
            width_px=spec.side_px,
            n_classes=len(spec.class_names),
            dropout=spec.dropout,
            scaling=scaling,
            known_head=True,
            stage_widths=spec.stage_widths,
        )
    )
    log(f"{spec.model}: {model.count_params():,} parameters, {len(fit.class_index)} crops to learn from")
    batches = DrawnBatches(fit, spec)
    steps = len(batches) * spec.epochs
    warm_up = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        spec.learning_rate / 20, steps - warm_up, warmup_target=spec.learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=spec.weight_decay, global_clipnorm=1.0, use_ema=True, ema_momentum=EMA_MOMENTUM
    )
    model.compile(optimizer=optimizer, loss=losses_of(spec))
    quick = None if held is None else held.take(_quick_rows(held))
    history: list[dict] = []

    def after_epoch(epoch: int, logs: dict | None) -> None:
        row = {"epoch": epoch + 1, "loss": round(float((logs or {})["loss"]), 4)}
        if quick is not None and len(quick.class_index):
            right = _raw(model, spec, quick)[0].argmax(axis=1) == quick.class_index
            recalls = [right[quick.class_index == c].mean() for c in np.unique(quick.class_index)]
            row |= {"val_accuracy": round(float(right.mean()), 4), "val_balanced": round(float(np.mean(recalls)), 4)}
        row["seconds"] = round(time.time() - started)
        history.append(row)
        log("  ".join(f"{name} {value}" for name, value in row.items()))

    started = time.time()
    model.fit(
        batches, epochs=spec.epochs, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=after_epoch)]
    )
    return model, scaling, history


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


def _write_json(path: Path, content: dict) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


def _write_history(path: Path, history: list[dict]) -> None:
    columns = list(history[0]) if history else []
    lines = [",".join(columns)] + [",".join(str(row[column]) for column in columns) for row in history]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
