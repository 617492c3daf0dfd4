"""Adapt a model to a few labelled cells of another laboratory; it is kept only if it is better on held-out cells."""

import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from bloodcell.core.errors import DatasetError, RunError
from bloodcell.core.io import write_json
from bloodcell.core.progress import Control
from bloodcell.datasets.splits.assignment import draw_groups
from bloodcell.datasets.splits.split import EXCLUDED, TEST
from bloodcell.evaluation.metrics.predictions import Predictions
from bloodcell.experiments.results.adapt_report import AdaptCells, AdaptReport, compare_models
from bloodcell.imaging.scale import make_fixed_scaling
from bloodcell.inference.ood import FeatureStatistics, load_feature_statistics
from bloodcell.model_store.folder import ADAPT_FILE, ModelFolder
from bloodcell.model_store.io_spec import read_io_spec
from bloodcell.networks.builders.keras_file import load_network
from bloodcell.training.fitting.callbacks import RunContext
from bloodcell.training.fitting.cross_validation import build_predictions
from bloodcell.training.fitting.fit_network import fit_model
from bloodcell.training.fitting.predictions import compute_feature_statistics, predict_samples
from bloodcell.training.fitting.run_setup import open_run_context
from bloodcell.training.fitting.write_model import write_networks, write_records
from bloodcell.training.output.calibration import calibrate
from bloodcell.training.output.description import describe_model
from bloodcell.training.output.history import HistoryRow
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
from bloodcell.training.samples.source_cache import report_reading
from bloodcell.training.specs.adapt_spec import REFUSAL_PREFIX, AdaptSpec
from bloodcell.training.specs.train_spec import TrainSpec

MODEL_DIR = "model"
# Thresholds are set again only on so many held-out source cells, and so many of each class.
MIN_HELD_OUT_CELLS, MIN_CELLS_PER_CLASS = 60, 8


@dataclass(frozen=True)
class _Adaptation:
    """A prepared adaptation: the original model, how it is trained on, and which cells."""

    spec: AdaptSpec
    original: ModelFolder
    description: dict[str, Any]
    train: TrainSpec
    samples: Samples
    held_out: Samples
    training_samples: Samples
    context: RunContext
    started: float


@dataclass(frozen=True)
class _AdaptedModel:
    """The adapted network with its calibration, and what both models predict for the held-out cells."""

    model: keras.Model
    rows: list[HistoryRow]
    feature_statistics: FeatureStatistics
    calibration: dict[str, float]
    thresholds: str
    before: Predictions
    after: Predictions


def run_adapt(
    work_dir: Path, spec: AdaptSpec, model_dir: Path, data_dir: Path, cache_dir: Path, control: Control
) -> AdaptReport:
    """Adapt a model inside one folder, resuming from the checkpoint in it.

    In the end adapt.json in `work_dir` compares before and after, whatever the outcome, and the folder `model` is the
    adapted model, if it is better by `adapt_spec.ACCEPTANCE_RULE`.

    Parameters
    ----------
    work_dir : Path
        Folder of the run.
    spec : AdaptSpec
        The labelled cells, and how the model is trained on them.
    model_dir : Path
        Folder of the original model; it stays as it is.
    data_dir : Path
        Folder that the path of `spec.cells` starts from.
    cache_dir : Path
        Folder for crops, shared by runs.
    control : Control
        Follows the run and may stop it.

    Returns
    -------
    AdaptReport
        Contents of adapt.json.

    Raises
    ------
    RunError
        If the adapted model is not better, or has diverged.
    DatasetError
        If the cells have labels that are no class of the model, are too few, or lack a class.
    ModelError, SpecError
        If the model cannot be adapted.
    StoppedError
        If the user stopped it; the finished epochs are kept.
    """
    adaptation = _prepare(work_dir, spec, model_dir, data_dir, cache_dir, control)
    adapted = _fit(adaptation)
    report = _build_report(adaptation, adapted)
    write_json(work_dir / ADAPT_FILE, report)
    n_images = report["before"]["images"]
    control.log(f"balanced accuracy {_format_change(report)} on {n_images} held-out cells")
    if not report["is_better"]:
        raise RunError(
            f"{REFUSAL_PREFIX}: its balanced accuracy on {n_images} held-out cells is not higher than that of"
            f" {spec.model} ({_format_change(report)})."
        )
    _write_model(work_dir / MODEL_DIR, adaptation, adapted, report)
    return report


def _prepare(
    work_dir: Path, spec: AdaptSpec, model_dir: Path, data_dir: Path, cache_dir: Path, control: Control
) -> _Adaptation:
    started = time.time()
    original = ModelFolder(model_dir)
    description = original.read_description().document
    train = build_continuation_spec(spec, model_dir, description)
    check_cells(spec, count_cells(spec.cells, data_dir, train.class_names))
    control.log("Finding and cropping cells ...")
    samples = load_samples(train, data_dir, cache_dir, report_reading(control))
    held_out, training_samples = split_samples(spec, train, samples)
    shutil.rmtree(work_dir / MODEL_DIR, ignore_errors=True)
    context = open_run_context(work_dir, train, samples, data_dir, 1, control)
    return _Adaptation(spec, original, description, train, samples, held_out, training_samples, context, started)


def split_samples(spec: AdaptSpec, train: TrainSpec, samples: Samples) -> tuple[Samples, Samples]:
    """Split samples into those held out and those trained on: the other new cells and, if given, the original data.

    What a source's split leaves out, such as its test part, is neither.

    Parameters
    ----------
    spec : AdaptSpec
        The share that is held out.
    train : TrainSpec
        Training spec of the adaptation; its first source is the new cells.
    samples : Samples
        Samples of all its sources.

    Returns
    -------
    held_out, training_samples : Samples

    Raises
    ------
    DatasetError
        If the cells are too few or lack a class.
    """
    is_used = ~np.isin(samples.part or [""], (TEST, EXCLUDED, NOT_IN_SPLIT))
    rows = np.flatnonzero(is_used & (samples.source == 0) & (samples.class_index != OOD))
    if len(rows) < MIN_CELLS:
        raise DatasetError(f"Adapting needs at least {MIN_CELLS} cells. A white cell was found in {len(rows)} images.")
    is_held_out = draw_groups(samples.class_index[rows], samples.group[rows], spec.held_share, spec.seed)
    held_out_groups = np.unique(samples.group[rows[is_held_out]])
    is_candidate = is_used & ~np.isin(samples.group, held_out_groups)
    training_samples = select_training_samples(train, samples, is_candidate)
    missing = [
        name for index, name in enumerate(train.class_names) if not (training_samples.class_index == index).any()
    ]
    if missing:
        raise DatasetError(explain_missing_classes(missing))
    return samples.take(rows[is_held_out]), training_samples


def _fit(adaptation: _Adaptation) -> _AdaptedModel:
    """Predict the held-out cells, train the model on the others, and predict the held-out cells again."""
    train, held_out, training_samples = adaptation.train, adaptation.held_out, adaptation.training_samples
    keras.utils.set_random_seed(train.seed)
    model = load_network(adaptation.original.path)
    original_statistics = load_feature_statistics(adaptation.original.feature_statistics_file)
    calibration = adaptation.description["calibration"]
    outputs = predict_samples(model, held_out, original_statistics)
    before = build_predictions(train, held_out, outputs, calibration)
    adaptation.context.control.log(
        f"{len(training_samples.class_index)} training crops, {len(held_out.class_index)} held out"
    )
    rows = fit_model(train, 1, model, training_samples, None, adaptation.context)
    check_finite_weights(model)
    if adaptation.spec.old_data:
        feature_statistics = compute_feature_statistics(model, training_samples)
    else:
        feature_statistics = _shift_feature_statistics(original_statistics, model, training_samples)
    outputs = predict_samples(model, held_out, feature_statistics)
    thresholds = (
        f"those of the original model: fewer than {MIN_HELD_OUT_CELLS} source cells, or fewer than"
        f" {MIN_CELLS_PER_CLASS} of a class, were held out"
    )
    if _has_enough_cells(train, held_out):
        calibration = calibrate(train, held_out, outputs).settings
        thresholds = f"set again on {len(np.unique(held_out.group))} held-out source cells"
    after = build_predictions(train, held_out, outputs, calibration)
    return _AdaptedModel(model, rows, feature_statistics, calibration, thresholds, before, after)


def _shift_feature_statistics(
    original: FeatureStatistics, model: keras.Model, training_samples: Samples
) -> FeatureStatistics:
    """Fit the class means to the new laboratory's cells, and keep the form of the original spread around them.

    A few dozen cells show where a class is and how far it spreads, but not how more than a hundred features vary
    together. As in the original statistics, the mean distance is 1, each crop's from the mean of the other crops of its
    class.
    """
    cells = training_samples.take(training_samples.class_index != OOD)
    means = compute_feature_statistics(model, cells).means
    distance = predict_samples(model, cells, FeatureStatistics(means, original.whitening)).distance
    n = np.bincount(cells.class_index)[cells.class_index]
    distance_to_others = distance[n > 1] * (n[n > 1] / (n[n > 1] - 1)) ** 2
    has_spread = len(distance_to_others) > 0 and distance_to_others.mean() > 0
    spread = float(distance_to_others.mean()) if has_spread else 1.0
    return FeatureStatistics(means, original.whitening / np.float32(np.sqrt(spread)))


def _has_enough_cells(train: TrainSpec, held_out: Samples) -> bool:
    groups, first_rows = np.unique(held_out.group, return_index=True)
    cells_per_class = np.bincount(held_out.class_index[first_rows], minlength=len(train.class_names))
    return len(groups) >= MIN_HELD_OUT_CELLS and int(cells_per_class.min()) >= MIN_CELLS_PER_CLASS


def check_finite_weights(model: keras.Model) -> None:
    """Raise RunError if a weight of a network is not finite."""
    if not all(np.isfinite(values).all() for values in model.get_weights()):
        raise RunError("The adaptation diverged, its weights are no numbers: take a lower `learning_rate`.")


def _build_report(adaptation: _Adaptation, adapted: _AdaptedModel) -> AdaptReport:
    return {
        **compare_models(adapted.before, adapted.after),
        "model": adaptation.spec.model,
        "model_sha256": adaptation.original.compute_sha256(),
        "cells": _count_images(adaptation.train, adaptation.held_out, adaptation.training_samples),
        "thresholds": adapted.thresholds,
        "seconds": round(time.time() - adaptation.started),
    }


def _count_images(train: TrainSpec, held_out: Samples, training_samples: Samples) -> AdaptCells:
    has_class, is_new = training_samples.class_index != OOD, training_samples.source == 0
    return {
        "learned_from": int((has_class & is_new).sum()),
        "held_back": len(held_out.class_index),
        "held_back_source_cells": len(np.unique(held_out.group)),
        "none_held_back_of": [
            name for index, name in enumerate(train.class_names) if not (held_out.class_index == index).any()
        ],
        "old": int((has_class & ~is_new).sum()),
    }


def _format_change(report: AdaptReport) -> str:
    before, after = report["before"], report["after"]
    return (
        f"before {before['balanced_accuracy']:.3f} {before['balanced_interval']},"
        f" after {after['balanced_accuracy']:.3f} {after['balanced_interval']}"
    )


def _write_model(folder: Path, adaptation: _Adaptation, adapted: _AdaptedModel, report: AdaptReport) -> None:
    spec, train, samples = adaptation.spec, adaptation.train, adaptation.samples
    folder.mkdir()
    mask_file = adaptation.original.mask_file
    write_networks(
        folder, adapted.model, adapted.feature_statistics, samples, mask_file if mask_file.is_file() else None
    )
    metrics = {
        "seconds": report["seconds"],
        "parameters": adapted.model.count_params(),
        "no_cell": samples.no_cell,
        "tests": {f"{spec.cells.name}, held out": report["after"]},
        "adapted": report,
    }
    write_json(folder / ADAPT_FILE, report)
    provenance = adaptation.original.read_provenance()
    if provenance is not None:  # without it nobody could tell all that the adapted model was trained on
        provenance |= collect_provenance(
            train.sources, adaptation.context.data_dir, adaptation.training_samples, adaptation.held_out
        )
    write_records(folder, _describe_adapted(adaptation, adapted), metrics, adapted.rows, provenance)


def _describe_adapted(adaptation: _Adaptation, adapted: _AdaptedModel) -> dict[str, Any]:
    """Contents of spec.json; the scaling is still that of the original model."""
    train, original = adaptation.train, adaptation.description
    io_spec = replace(build_io_spec(train), outputs=read_io_spec(original, train.name).outputs)
    description = describe_model(
        train,
        io_spec,
        adaptation.samples,
        adaptation.training_samples,
        make_fixed_scaling("-1..1"),
        adapted.calibration,
    )
    description |= {name: original[name] for name in ("scaling", "scaling_statistics") if name in original}
    return description | {"adapted_from": adaptation.spec.model}
