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
from bloodcell.core.io import write_json
from bloodcell.core.progress import Control, raise_if_stopped
from bloodcell.datasets.splits.assignment import draw_groups
from bloodcell.datasets.splits.split import EXCLUDED, TEST
from bloodcell.evaluation.metrics.bootstrap import cluster_bootstrap
from bloodcell.evaluation.metrics.class_metrics import balanced_accuracy
from bloodcell.evaluation.metrics.measure import summarise_metrics
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.imaging.scale import make_fixed_scaling
from bloodcell.inference.ood import FeatureStatistics, load_feature_statistics
from bloodcell.model_store.folder import (
    ADAPT_FILE,
    FEATURE_STATISTICS_FILE,
    HISTORY_FILE,
    KERAS_FILE,
    MASK_FILE,
    METRICS_FILE,
    NETWORK_FILE,
    SPEC_FILE,
    ModelFolder,
)
from bloodcell.model_store.io_spec import read_io_spec
from bloodcell.networks.builders.keras_file import load_network, save_network
from bloodcell.training.fitting.batches import cut_centre_crops
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR, open_checkpoints
from bloodcell.training.fitting.cross_validation import build_predictions
from bloodcell.training.fitting.export import export_onnx
from bloodcell.training.fitting.phases import Work, fit_model
from bloodcell.training.fitting.predictions import compute_feature_statistics, predict_samples
from bloodcell.training.output.calibration import calibrate
from bloodcell.training.output.description import describe_model
from bloodcell.training.output.history import write_history
from bloodcell.training.output.model_card import write_model_card
from bloodcell.training.output.provenance import collect_provenance
from bloodcell.training.samples.adapt_cells import (
    MIN_CELLS,
    build_continuation_spec,
    check_cells,
    count_cells,
    explain_missing_classes,
)
from bloodcell.training.samples.imbalance import select_training_samples
from bloodcell.training.samples.samples import NOT_IN_SPLIT, OOD, Samples, build_io_spec, load_samples
from bloodcell.training.specs.adapt_spec import ACCEPTANCE_RULE, REFUSAL_PREFIX, AdaptSpec
from bloodcell.training.specs.train_spec import TrainSpec

MODEL_DIR = "model"
# Thresholds are set anew only on so many held-back source cells, and so many of each class.
MIN_HELD_OUT_CELLS, MIN_CELLS_PER_CLASS = 60, 8


def run_adapt(
    work_dir: Path, spec: AdaptSpec, model_dir: Path, data_dir: Path, cache_dir: Path, control: Control
) -> dict[str, Any]:
    """Adapt a model inside one folder, going on from the checkpoint in it.

    In the end adapt.json in `work_dir` compares before and after, whatever came of it, and the folder `model` is the
    new model, if it is better by `adapt_spec.ACCEPTANCE_RULE`.

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
        before, after : `evaluation.metrics.measure.summarise_metrics` on the held-back cells
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
    old_folder = ModelFolder(model_dir)
    description = old_folder.read_description().document
    train = build_continuation_spec(spec, model_dir, description)
    check_cells(spec, count_cells(spec.cells, data_dir, train.class_names))

    def on_progress(source: str, done: int, total: int) -> None:
        raise_if_stopped(control)
        control.on_reading(source, done, total)

    control.log("Finding and cropping cells ...")
    samples = load_samples(train, data_dir, cache_dir, on_progress)
    held_out, training_samples = split_samples(spec, train, samples)
    work_dir.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(work_dir / MODEL_DIR, ignore_errors=True)
    checkpoints = open_checkpoints(work_dir / CHECKPOINT_DIR, train, samples)
    write_history(work_dir / HISTORY_FILE, checkpoints.rows())
    keras.utils.set_random_seed(train.seed)
    model = load_network(model_dir)
    feature_statistics = load_feature_statistics(old_folder.feature_statistics_file)
    calibration = description["calibration"]
    before = build_predictions(
        train, held_out, predict_samples(model, train, held_out, feature_statistics), calibration
    )
    control.log(f"{len(training_samples.class_index)} crops to learn from, {len(held_out.class_index)} held back")
    work = Work(control, checkpoints, work_dir / HISTORY_FILE, data_dir, fits=1)
    rows = fit_model(train, 1, model, training_samples, None, work)
    check_finite_weights(model)
    feature_statistics = (
        compute_feature_statistics(model, train, training_samples)
        if spec.old_data
        else _shift_feature_statistics(feature_statistics, model, train, training_samples)
    )
    outputs = predict_samples(model, train, held_out, feature_statistics)
    is_enough = _has_enough_cells(train, held_out)
    if is_enough:
        calibration = calibrate(train, held_out, outputs).settings
    after = build_predictions(train, held_out, outputs, calibration)
    report = compare_models(before, after) | {
        "model": spec.model,
        "model_sha256": old_folder.compute_sha256(),
        "cells": _count_images(train, held_out, training_samples),
        "thresholds": f"set anew on {len(np.unique(held_out.group))} held-back source cells"
        if is_enough
        else f"those of the model before: fewer than {MIN_HELD_OUT_CELLS} source cells, or {MIN_CELLS_PER_CLASS} of a class, were"
        " held back",
        "seconds": round(time.time() - started),
    }
    write_json(work_dir / ADAPT_FILE, report)
    control.log(f"balanced accuracy {_format_change(report)} on {report['before']['images']} held-back cells")
    if not report["is_better"]:
        raise RunError(
            f"{REFUSAL_PREFIX}: its balanced accuracy on {report['before']['images']} held-back cells is"
            f" not above that of {spec.model} ({_format_change(report)})."
        )
    some = cut_centre_crops(samples.stored_crops[:: max(1, len(samples.stored_crops) // 64)], train)
    _write_model(work_dir / MODEL_DIR, model, feature_statistics, model_dir, some)
    new = _describe_adapted(train, samples, training_samples, calibration, description) | {"adapted_from": spec.model}
    metrics = {
        "seconds": report["seconds"],
        "parameters": model.count_params(),
        "no_cell": samples.no_cell,
        "tests": {f"{spec.cells.name}, held back": report["after"]},
        "adapted": report,
    }
    for name, content in ((SPEC_FILE, new), (METRICS_FILE, metrics), (ADAPT_FILE, report)):
        write_json(work_dir / MODEL_DIR / name, content)
    write_history(work_dir / MODEL_DIR / HISTORY_FILE, rows)
    earlier = old_folder.read_provenance()
    if earlier is not None:  # without it nobody could say what the new model has seen
        provenance = earlier | collect_provenance(train, data_dir, training_samples, held_out)
        ModelFolder(work_dir / MODEL_DIR).write_provenance(provenance)
    write_model_card(work_dir / MODEL_DIR, new, metrics)
    return report


def split_samples(spec: AdaptSpec, train: TrainSpec, samples: Samples) -> tuple[Samples, Samples]:
    """The cells held back, and what is learned from: the other cells and, where given, the old data.

    What a source's split leaves out, its test part too, is neither. DatasetError if the cells are too few or lack a
    class.
    """
    is_used = ~np.isin(samples.part or [""], (TEST, EXCLUDED, NOT_IN_SPLIT))
    rows = np.flatnonzero(is_used & (samples.source == 0) & (samples.class_index != OOD))
    if len(rows) < MIN_CELLS:
        raise DatasetError(f"Adapting needs at least {MIN_CELLS} cells. A white cell was found in {len(rows)} images.")
    is_held = draw_groups(samples.class_index[rows], samples.group[rows], spec.held_share, spec.seed)
    held_groups = np.unique(samples.group[rows[is_held]])
    is_candidate = is_used & ~np.isin(samples.group, held_groups)
    training_samples = select_training_samples(train, samples, is_candidate)
    lacking = [
        name for index, name in enumerate(train.class_names) if not (training_samples.class_index == index).any()
    ]
    if lacking:
        raise DatasetError(explain_missing_classes(lacking))
    return samples.take(rows[is_held]), training_samples


def _shift_feature_statistics(
    old: FeatureStatistics, model: keras.Model, train: TrainSpec, training_samples: Samples
) -> FeatureStatistics:
    """Where the cells of the new laboratory lie: their own class means, around which they spread in the form of before.

    A few dozen cells say where a class lies and how far it spreads, but not how more than a hundred features vary
    together. As before, the mean distance is 1, each crop's from the mean of the other crops of its class.
    """
    cells = training_samples.take(training_samples.class_index != OOD)
    means = compute_feature_statistics(model, train, cells).means
    distance = predict_samples(model, train, cells, FeatureStatistics(means, old.whitening)).distance
    n = np.bincount(cells.class_index)[cells.class_index]
    others = distance[n > 1] * (n[n > 1] / (n[n > 1] - 1)) ** 2
    spread = float(others.mean()) if len(others) and others.mean() > 0 else 1.0
    return FeatureStatistics(means, old.whitening / np.float32(np.sqrt(spread)))


def _has_enough_cells(train: TrainSpec, held_out: Samples) -> bool:
    groups, first = np.unique(held_out.group, return_index=True)
    of_class = np.bincount(held_out.class_index[first], minlength=len(train.class_names))
    return len(groups) >= MIN_HELD_OUT_CELLS and int(of_class.min()) >= MIN_CELLS_PER_CLASS


def check_finite_weights(model: keras.Model) -> None:
    """Raise RunError if a weight of a network is no number."""
    if not all(np.isfinite(values).all() for values in model.get_weights()):
        raise RunError("The adaptation diverged, its weights are no numbers: take a lower `learning_rate`.")


def compare_models(before: Predictions, after: Predictions, n_draws: int = 2000) -> dict[str, Any]:
    """Figures of two models on the same cells, and whether the second is better by `adapt_spec.ACCEPTANCE_RULE`."""
    true, groups = before.y_true, before.groups
    was_right, is_right = before.y_pred == true, after.y_pred == true

    def difference(rows: np.ndarray) -> float:
        return balanced_accuracy(true[rows], after.y_pred[rows]) - balanced_accuracy(true[rows], before.y_pred[rows])

    gained = difference(np.arange(len(true)))
    low, high = cluster_bootstrap(difference, groups, n_draws, strata=true)
    return {
        "kind": "adapt",
        "rule": ACCEPTANCE_RULE,
        "is_better": bool(gained > 0),
        "before": summarise_metrics(before, n_draws),
        "after": summarise_metrics(after, n_draws),
        "difference": round(gained, 4),
        "difference_interval": [round(low, 4), round(high, 4)],
        "may_be_chance": bool(low <= 0),
        "mended": int((is_right & ~was_right).sum()),
        "spoiled": int((was_right & ~is_right).sum()),
    }


def _count_images(train: TrainSpec, held_out: Samples, training_samples: Samples) -> dict[str, Any]:
    mine = training_samples.take((training_samples.source == 0) & (training_samples.class_index != OOD))
    return {
        "learned_from": len(mine.class_index),
        "held_back": len(held_out.class_index),
        "held_back_source_cells": len(np.unique(held_out.group)),
        "none_held_back_of": [
            name for c, name in enumerate(train.class_names) if not (held_out.class_index == c).any()
        ],
        "old": int(((training_samples.source > 0) & (training_samples.class_index != OOD)).sum()),
    }


def _format_change(report: dict[str, Any]) -> str:
    before, after = report["before"], report["after"]
    return (
        f"before {before['balanced_accuracy']:.3f} {before['balanced_interval']},"
        f" after {after['balanced_accuracy']:.3f} {after['balanced_interval']}"
    )


def _write_model(
    folder: Path, model: keras.Model, feature_statistics: FeatureStatistics, old_dir: Path, crops: np.ndarray
) -> None:
    folder.mkdir()
    feature_statistics.save(folder / FEATURE_STATISTICS_FILE)
    if (old_dir / MASK_FILE).is_file():
        shutil.copyfile(old_dir / MASK_FILE, folder / MASK_FILE)
    save_network(model, folder / KERAS_FILE)
    with contextlib.redirect_stdout(io.StringIO()):
        export_onnx(model, folder / NETWORK_FILE, crops)


def _describe_adapted(
    train: TrainSpec, samples: Samples, training_samples: Samples, calibration: dict[str, float], old: dict[str, Any]
) -> dict[str, Any]:
    """spec.json; the scaling is still that of the model before."""
    io_spec = replace(build_io_spec(train), outputs=read_io_spec(old, train.name).outputs)
    new = describe_model(train, io_spec, samples, training_samples, make_fixed_scaling("-1..1"), calibration)
    return new | {name: old[name] for name in ("scaling", "scaling_statistics") if name in old}
