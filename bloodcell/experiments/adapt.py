"""Continue a model on a few labelled cells of another laboratory; kept only if it is better on cells held back."""

import contextlib
import io
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from bloodcell.core.errors import DatasetError, RunError
from bloodcell.core.progress import Control, stop_if_asked
from bloodcell.datasets.splits.split import EXCLUDED, TEST, draw_groups
from bloodcell.evaluation.metrics.class_metrics import balanced_accuracy
from bloodcell.evaluation.metrics.intervals import cluster_bootstrap
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.evaluation.metrics.summary import figures
from bloodcell.imaging.scale import fixed_scaling
from bloodcell.inference.ood import Typical, load_typical
from bloodcell.model_store.folder import model_sha256, read_description
from bloodcell.model_store.io_spec import MASK_FILE, takes_of
from bloodcell.model_store.model_zip import KERAS_FILE
from bloodcell.model_store.provenance import read_learned
from bloodcell.networks.builders.saved import load_network, save_network
from bloodcell.training.fitting.batches import plain_crops
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR, open_checkpoints
from bloodcell.training.fitting.cross_validation import scored
from bloodcell.training.fitting.export import export_onnx
from bloodcell.training.fitting.phases import Work, fit_model
from bloodcell.training.fitting.predictions import predict, typical_of
from bloodcell.training.output.calibration import calibrate
from bloodcell.training.output.description import describe
from bloodcell.training.output.history import HISTORY_FILE, write_history
from bloodcell.training.output.model_card import write_card
from bloodcell.training.output.provenance import learned_images
from bloodcell.training.output.result_folder import write_json
from bloodcell.training.samples.adapt_cells import (
    LEAST_CELLS,
    check_cells,
    continued_training,
    count_cells,
    would_forget,
)
from bloodcell.training.samples.imbalance import learned_rows
from bloodcell.training.samples.samples import LEFT_OUT, UNKNOWN, Samples, load_samples, takes_of_spec
from bloodcell.training.specs.adapt_spec import ADAPT_FILE, NOT_KEPT, RULE, AdaptSpec
from bloodcell.training.specs.train_spec import TrainSpec

MODEL_DIR = "model"
# Thresholds are set anew only on so many held-back source cells, and so many of each class.
ENOUGH_HELD, ENOUGH_OF_A_CLASS = 60, 8


def run_adapt(
    work_dir: Path, spec: AdaptSpec, model_dir: Path, data_dir: Path, cache_dir: Path, control: Control
) -> dict[str, Any]:
    """Adapt a model inside one folder, going on from the checkpoint in it.

    In the end adapt.json in `work_dir` compares before and after, whatever came of it, and the folder `model` is the
    new model, if it is better by `adapt_spec.RULE`.

    Parameters
    ----------
    work_dir : folder of the run
    model_dir : folder of the model that is continued; it stays as it is
    data_dir : folder that the path of `spec.cells` starts from
    cache_dir : folder for crops, shared by runs
    control : follows the run and may stop it

    Returns
    -------
    dict, as adapt.json
        rule, is_better, cells (learned from, held back, source cells, classes that none was held back of)
        before, after : `evaluation.metrics.summary.figures` on the held-back cells
        difference, difference_interval : of the balanced accuracies, over source cells; mended, spoiled: cells
        thresholds : "set anew ..." or "those of the model before ..."

    Raises
    ------
    RunError
        If the adapted model is not better, or has diverged.
    DatasetError
        If the cells have labels that the model does not know, are too few, or lack a class.
    ModelError, SpecError
        If the model cannot be continued.
    StoppedError
    """
    started = time.time()
    description = read_description(model_dir)
    train = continued_training(spec, model_dir, description)
    check_cells(spec, count_cells(spec.cells, data_dir, train.class_names))

    def on_progress(source: str, done: int, total: int) -> None:
        stop_if_asked(control)
        control.reading(source, done, total)

    control.log("Finding and cropping cells ...")
    samples = load_samples(train, data_dir, cache_dir, on_progress)
    held, learned = parted(spec, train, samples)
    work_dir.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(work_dir / MODEL_DIR, ignore_errors=True)
    checkpoints = open_checkpoints(work_dir / CHECKPOINT_DIR, train, samples)
    write_history(work_dir / HISTORY_FILE, checkpoints.rows())
    keras.utils.set_random_seed(train.seed)
    model = load_network(model_dir)
    typical = load_typical(model_dir / "typical.npz")
    calibration = description["calibration"]
    before = scored(train, held, predict(model, train, held, typical), calibration)
    control.log(f"{len(learned.class_index)} crops to learn from, {len(held.class_index)} held back")
    work = Work(control, checkpoints, work_dir / HISTORY_FILE, data_dir, fits=1)
    rows = fit_model(train, 1, model, learned, None, work)
    check_numbers(model)
    typical = typical_of(model, train, learned) if spec.old_data else _moved(typical, model, train, learned)
    outputs = predict(model, train, held, typical)
    is_enough = _is_enough(train, held)
    if is_enough:
        calibration = calibrate(train, held, outputs).settings
    after = scored(train, held, outputs, calibration)
    report = compared(before, after) | {
        "model": spec.model,
        "model_sha256": model_sha256(model_dir),
        "cells": _counted(train, held, learned),
        "thresholds": f"set anew on {len(np.unique(held.group))} held-back source cells"
        if is_enough
        else f"those of the model before: fewer than {ENOUGH_HELD} source cells, or {ENOUGH_OF_A_CLASS} of a class, were"
        " held back",
        "seconds": round(time.time() - started),
    }
    write_json(work_dir / ADAPT_FILE, report)
    control.log(f"balanced accuracy {_change(report)} on {report['before']['images']} held-back cells")
    if not report["is_better"]:
        raise RunError(
            f"{NOT_KEPT}: its balanced accuracy on {report['before']['images']} held-back cells is"
            f" not above that of {spec.model} ({_change(report)})."
        )
    some = plain_crops(samples.wide[:: max(1, len(samples.wide) // 64)], train)
    _write_model(work_dir / MODEL_DIR, model, typical, model_dir, some)
    new = _described(train, samples, learned, calibration, description) | {"adapted_from": spec.model}
    metrics = {
        "seconds": report["seconds"],
        "parameters": model.count_params(),
        "no_cell": samples.no_cell,
        "tests": {f"{spec.cells.name}, held back": report["after"]},
        "adapted": report,
    }
    for name, content in (("spec.json", new), ("metrics.json", metrics), (ADAPT_FILE, report)):
        write_json(work_dir / MODEL_DIR / name, content)
    write_history(work_dir / MODEL_DIR / HISTORY_FILE, rows)
    earlier = read_learned(model_dir)
    if earlier is not None:  # without it nobody could say what the new model has seen
        (earlier | learned_images(train, data_dir, learned, held)).save(work_dir / MODEL_DIR)
    write_card(work_dir / MODEL_DIR, new, metrics)
    return report


def parted(spec: AdaptSpec, train: TrainSpec, samples: Samples) -> tuple[Samples, Samples]:
    """The cells held back, and what is learned from: the other cells and, where given, the old data.

    What a source's split leaves out, its test part too, is neither. DatasetError if the cells are too few or lack a
    class.
    """
    is_used = ~np.isin(samples.part or [""], (TEST, EXCLUDED, LEFT_OUT))
    rows = np.flatnonzero(is_used & (samples.source == 0) & (samples.class_index != UNKNOWN))
    if len(rows) < LEAST_CELLS:
        raise DatasetError(f"Adapting needs {LEAST_CELLS} cells or more. A white cell was found in {len(rows)} images.")
    is_held = draw_groups(samples.class_index[rows], samples.group[rows], spec.held_share, spec.seed)
    held_groups = np.unique(samples.group[rows[is_held]])
    may_learn = is_used & ~np.isin(samples.group, held_groups)
    learned = samples.take(learned_rows(train, samples, may_learn))
    lacking = [name for index, name in enumerate(train.class_names) if not (learned.class_index == index).any()]
    if lacking:
        raise DatasetError(would_forget(lacking))
    return samples.take(rows[is_held]), learned


def _moved(old: Typical, model: keras.Model, train: TrainSpec, learned: Samples) -> Typical:
    """Where the cells of the new laboratory lie: their own class means, around which they spread in the form of before.

    A few dozen cells say where a class lies and how far it spreads, but not how more than a hundred features vary
    together. As before, the mean distance is 1, each crop's from the mean of the other crops of its class.
    """
    cells = learned.take(learned.class_index != UNKNOWN)
    means = typical_of(model, train, cells).means
    distance = predict(model, train, cells, Typical(means, old.whitening)).distance
    n = np.bincount(cells.class_index)[cells.class_index]
    others = distance[n > 1] * (n[n > 1] / (n[n > 1] - 1)) ** 2
    spread = float(others.mean()) if len(others) and others.mean() > 0 else 1.0
    return Typical(means, old.whitening / np.float32(np.sqrt(spread)))


def _is_enough(train: TrainSpec, held: Samples) -> bool:
    groups, first = np.unique(held.group, return_index=True)
    of_class = np.bincount(held.class_index[first], minlength=len(train.class_names))
    return len(groups) >= ENOUGH_HELD and int(of_class.min()) >= ENOUGH_OF_A_CLASS


def check_numbers(model: keras.Model) -> None:
    """Raise RunError if a weight of a network is no number."""
    if not all(np.isfinite(values).all() for values in model.get_weights()):
        raise RunError("The adaptation diverged, its weights are no numbers: take a lower `learning_rate`.")


def compared(before: Predictions, after: Predictions, n_draws: int = 2000) -> dict[str, Any]:
    """Figures of two models on the same cells, and whether the second is better by `adapt_spec.RULE`."""
    true, groups = before.y_true, before.groups
    was_right, is_right = before.y_pred == true, after.y_pred == true

    def difference(rows: np.ndarray) -> float:
        return balanced_accuracy(true[rows], after.y_pred[rows]) - balanced_accuracy(true[rows], before.y_pred[rows])

    gained = difference(np.arange(len(true)))
    low, high = cluster_bootstrap(difference, groups, n_draws, strata=true)
    return {
        "kind": "adapt",
        "rule": RULE,
        "is_better": bool(gained > 0),
        "before": figures(before, n_draws),
        "after": figures(after, n_draws),
        "difference": round(gained, 4),
        "difference_interval": [round(low, 4), round(high, 4)],
        "may_be_chance": bool(low <= 0),
        "mended": int((is_right & ~was_right).sum()),
        "spoiled": int((was_right & ~is_right).sum()),
    }


def _counted(train: TrainSpec, held: Samples, learned: Samples) -> dict[str, Any]:
    mine = learned.take((learned.source == 0) & (learned.class_index != UNKNOWN))
    return {
        "learned_from": len(mine.class_index),
        "held_back": len(held.class_index),
        "held_back_source_cells": len(np.unique(held.group)),
        "none_held_back_of": [name for c, name in enumerate(train.class_names) if not (held.class_index == c).any()],
        "old": int(((learned.source > 0) & (learned.class_index != UNKNOWN)).sum()),
    }


def _change(report: dict[str, Any]) -> str:
    before, after = report["before"], report["after"]
    return (
        f"before {before['balanced_accuracy']:.3f} {before['balanced_interval']},"
        f" after {after['balanced_accuracy']:.3f} {after['balanced_interval']}"
    )


def _write_model(folder: Path, model: keras.Model, typical: Typical, old_dir: Path, crops: np.ndarray) -> None:
    folder.mkdir()
    typical.save(folder / "typical.npz")
    if (old_dir / MASK_FILE).is_file():
        shutil.copyfile(old_dir / MASK_FILE, folder / MASK_FILE)
    save_network(model, folder / KERAS_FILE)
    with contextlib.redirect_stdout(io.StringIO()):
        export_onnx(model, folder / "model.onnx", crops)


def _described(
    train: TrainSpec, samples: Samples, learned: Samples, calibration: dict[str, float], old: dict[str, Any]
) -> dict[str, Any]:
    """spec.json; the scaling is still that of the model before."""
    takes = replace(takes_of_spec(train), outputs=takes_of(old, train.name).outputs)
    new = describe(train, takes, samples, learned, fixed_scaling("-1..1"), calibration)
    return new | {name: old[name] for name in ("scaling", "scaling_statistics") if name in old}
