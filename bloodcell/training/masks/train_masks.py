"""Train a U-Net to mark the pixels of the cell: prepare, fit, measure, write a folder with the network and its metrics."""

import contextlib
import io
import os
import time
from pathlib import Path
from typing import Any, TypedDict

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from bloodcell.core.errors import RunError
from bloodcell.core.io import write_json
from bloodcell.core.progress import Control
from bloodcell.model_store.folder import HISTORY_FILE, MASK_FILE, METRICS_FILE, SPEC_FILE
from bloodcell.model_store.mask_models import EXAMPLES_FILE, MASK_KERAS_FILE, MASKS_KIND
from bloodcell.model_store.versions import read_revision, read_versions
from bloodcell.networks.builders.keras_file import save_network
from bloodcell.training.fitting.callbacks import RunContext
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR, open_checkpoints
from bloodcell.training.fitting.export import export_mask_onnx
from bloodcell.training.masks.fit_unet import fit_unet
from bloodcell.training.masks.mask_card import write_mask_card
from bloodcell.training.masks.mask_metrics import MaskMetrics, measure_masks
from bloodcell.training.output.history import MASK_COLUMNS, HistoryRow, write_history
from bloodcell.training.output.result_folder import create_result_folder, write_table
from bloodcell.training.samples.mask_samples import MaskSamples, load_mask_samples
from bloodcell.training.specs.masks_spec import MasksSpec

HELD_OUT_TABLE = "held_back.csv"
N_CHECK_IMAGES = 32  # images on which the exported network is compared with Keras


class MaskTrainMetrics(TypedDict):
    """The contents of metrics.json of a U-Net.

    `held_back` is `mask_metrics.MaskMetrics.metrics`, `learned_from` counts images and source cells that were trained
    on, and `left_out` the images that were not used.
    """

    seconds: int
    parameters: int
    learned_from: dict[str, int]
    left_out: int
    leaky: bool
    held_back: dict[str, Any]


def train_mask_model(
    work_dir: Path, spec: MasksSpec, data_dir: Path, cache_dir: Path, control: Control
) -> MaskTrainMetrics:
    """Train a U-Net inside one folder, resuming from the checkpoint in it.

    The folder `result` has mask.onnx (`mask_model` of a training spec names its folder), mask.keras, spec.json,
    metrics.json, held_back.csv (scores of each held-out image), history.csv, examples.npz and the card.

    Parameters
    ----------
    work_dir : Path
        Folder of the run; created if it is missing.
    spec : MasksSpec
        Settings of the run.
    data_dir : Path
        Folder that the source's path starts from.
    cache_dir : Path
        Folder for images at the network's size, shared by runs.
    control : Control
        Follows the run and may stop it.

    Returns
    -------
    MaskTrainMetrics
        Contents of metrics.json.

    Raises
    ------
    StoppedError
        If the user stopped it; the finished epochs are kept.
    RunError
        If the checkpoint is of another run, or the network diverged.
    DatasetError, ImageError
        If the images or masks cannot be used.
    ModelError
        If the exported network differs from Keras.
    """
    tf.config.experimental.enable_op_determinism()
    control.log("Reading images and masks ...")
    cache_dir.mkdir(parents=True, exist_ok=True)
    samples = load_mask_samples(spec, data_dir, cache_dir, control)
    context, started = _open_run(work_dir, spec, samples, data_dir, control)
    model, rows = fit_unet(spec, samples, context)
    if not np.isfinite(rows[-1].loss):
        raise RunError("The U-Net diverged, its loss is no number: take a lower `learning_rate`.")
    result = create_result_folder(work_dir)
    _write_network(model, result, samples)
    measured = measure_masks(result / MASK_FILE, spec, samples, data_dir, control)
    metrics: MaskTrainMetrics = {
        "seconds": round(time.time() - started),
        "parameters": model.count_params(),
        "learned_from": {
            "images": int((~samples.held_out).sum()),
            "source_cells": len(np.unique(samples.group[~samples.held_out])),
        },
        "left_out": samples.left_out,
        "leaky": samples.leaky,
        "held_back": measured.metrics,
    }
    _write_records(result, spec, metrics, measured, rows)
    scores = measured.metrics["dice"]
    control.log(f"Dice on {measured.metrics['images']} held-out images: {scores['mean']} {scores['interval']}")
    return metrics


def _open_run(
    work_dir: Path, spec: MasksSpec, samples: MaskSamples, data_dir: Path, control: Control
) -> tuple[RunContext, float]:
    """Open the checkpoints, write the history as far as it has come; the start of the run as if it had never stopped."""
    work_dir.mkdir(parents=True, exist_ok=True)
    checkpoints = open_checkpoints(work_dir / CHECKPOINT_DIR, spec, samples)
    earlier = checkpoints.read_history()
    write_history(work_dir / HISTORY_FILE, earlier, MASK_COLUMNS)
    context = RunContext(control, checkpoints, work_dir / HISTORY_FILE, data_dir, fits=1)
    return context, time.time() - (earlier[-1].seconds if earlier else 0)


def _write_network(model: keras.Model, folder: Path, samples: MaskSamples) -> None:
    save_network(model, folder / MASK_KERAS_FILE)
    check_images = samples.pairs[:: max(1, len(samples.pairs) // N_CHECK_IMAGES)][..., :3]
    with contextlib.redirect_stdout(io.StringIO()):
        export_mask_onnx(model, folder / MASK_FILE, check_images)


def _write_records(
    folder: Path, spec: MasksSpec, metrics: MaskTrainMetrics, measured: MaskMetrics, rows: list[HistoryRow]
) -> None:
    description = {
        "format": 1,
        "kind": MASKS_KIND,
        "name": spec.name,
        "title": spec.title or spec.name,
        "height_px": spec.height_px,
        "width_px": spec.width_px,
        "training": spec.to_dict(),
        "versions": read_versions(),
        "revision": read_revision(),
    }
    write_json(folder / SPEC_FILE, description)
    write_json(folder / METRICS_FILE, metrics)
    write_table(folder / HELD_OUT_TABLE, [scores.to_row() for scores in measured.rows])
    write_history(folder / HISTORY_FILE, rows, MASK_COLUMNS)
    measured.examples.save(folder / EXAMPLES_FILE)
    write_mask_card(folder, spec, metrics)
