"""Teach a U-Net which pixels belong to the cell: pictures and masks in, a folder with its network and figures out."""

import contextlib
import io
import os
import time
from dataclasses import asdict
from pathlib import Path

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
from bloodcell.training.fitting.callbacks import Work
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR, hash_arrays, open_or_create_checkpoints
from bloodcell.training.fitting.export import export_mask_onnx
from bloodcell.training.masks.fit_unet import fit_unet
from bloodcell.training.masks.mask_card import write_mask_card
from bloodcell.training.masks.mask_metrics import measure_masks
from bloodcell.training.output.history import MASK_COLUMNS, write_history
from bloodcell.training.output.result_folder import create_result_folder, write_table
from bloodcell.training.samples.mask_samples import MaskSamples, load_mask_samples
from bloodcell.training.specs.masks_spec import MasksSpec

HELD_OUT_TABLE = "held_back.csv"
N_CHECK_IMAGES = 32  # pictures on which the exported network is held against Keras


def train_mask_model(work_dir: Path, spec: MasksSpec, data_dir: Path, cache_dir: Path, control: Control) -> dict:
    """Teach a U-Net inside one folder, going on from the checkpoint in it.

    The folder `result` holds mask.onnx (what `mask_model` of a training spec names the folder of), mask.keras,
    spec.json, metrics.json, held_back.csv (scores of each held-back picture), history.csv, examples.npz and the card.

    Parameters
    ----------
    work_dir : folder of the run, made where it is missing
    data_dir : folder that the source's path starts from
    cache_dir : folder for pictures at the network's size, shared by runs
    control : follows the run and may stop it

    Returns
    -------
    dict, as metrics.json: held_back (`mask_figures.Measured.metrics`), learned_from, left_out, leaky, parameters, seconds

    Raises
    ------
    StoppedError, RunError, DatasetError, ImageError, ModelError
    """
    tf.config.experimental.enable_op_determinism()
    control.log("Reading pictures and masks ...")
    cache_dir.mkdir(parents=True, exist_ok=True)
    samples = load_mask_samples(spec, data_dir, cache_dir, control)
    work_dir.mkdir(parents=True, exist_ok=True)
    data = hash_arrays((samples.group, samples.held_out), samples.pairs, samples.file)
    checkpoints = open_or_create_checkpoints(work_dir / CHECKPOINT_DIR, spec, data)
    earlier = checkpoints.rows()
    write_history(work_dir / HISTORY_FILE, earlier, MASK_COLUMNS)
    started = time.time() - (earlier[-1]["seconds"] if earlier else 0)
    model, rows = fit_unet(spec, samples, Work(control, checkpoints, work_dir / HISTORY_FILE, data_dir, fits=1))
    if not np.isfinite(rows[-1]["loss"]):
        raise RunError("The U-Net diverged, its loss is no number: take a lower `learning_rate`.")
    result = create_result_folder(work_dir)
    _write_network(model, result, samples)
    measured = measure_masks(result / MASK_FILE, spec, samples, data_dir, control)
    metrics = {
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
    description = {
        "format": 1,
        "kind": MASKS_KIND,
        "name": spec.name,
        "title": spec.title or spec.name,
        "height_px": spec.height_px,
        "width_px": spec.width_px,
        "training": asdict(spec),
        "versions": read_versions(),
        "revision": read_revision(),
    }
    write_json(result / SPEC_FILE, description)
    write_json(result / METRICS_FILE, metrics)
    write_table(result / HELD_OUT_TABLE, measured.rows)
    write_history(result / HISTORY_FILE, rows, MASK_COLUMNS)
    measured.examples.save(result / EXAMPLES_FILE)
    write_mask_card(result, spec, metrics)
    found = measured.metrics["dice"]
    control.log(f"Dice on {measured.metrics['images']} held-back pictures: {found['mean']} {found['interval']}")
    return metrics


def _write_network(model: keras.Model, folder: Path, samples: MaskSamples) -> None:
    save_network(model, folder / MASK_KERAS_FILE)
    some = samples.pairs[:: max(1, len(samples.pairs) // N_CHECK_IMAGES)][..., :3]
    with contextlib.redirect_stdout(io.StringIO()):
        export_mask_onnx(model, folder / MASK_FILE, some)
