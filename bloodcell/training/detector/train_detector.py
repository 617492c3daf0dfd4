"""Train a detector from its spec into a folder: fit, thresholds, export, metrics, card."""

import contextlib
import io
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bloodcell.core.errors import RunError
from bloodcell.core.io import write_json
from bloodcell.core.labels import DETECTED
from bloodcell.core.progress import Control
from bloodcell.evaluation.boxes.field_metrics import measure_fields
from bloodcell.model_store.detectors import DETECTOR_FILE, DETECTOR_KERAS_FILE, DETECTOR_KIND
from bloodcell.model_store.folder import HISTORY_FILE, METRICS_FILE, SPEC_FILE
from bloodcell.model_store.versions import read_revision, read_versions
from bloodcell.networks.builders.keras_file import save_network
from bloodcell.training.detector.detector_card import write_detector_card
from bloodcell.training.detector.fit_detector import EXCLUSIVE, fit_detector, predict_field
from bloodcell.training.detector.thresholds import choose_threshold
from bloodcell.training.fitting.callbacks import RunContext
from bloodcell.training.fitting.checkpoint import CHECKPOINT_DIR, open_checkpoints
from bloodcell.training.fitting.export import export_detector_onnx
from bloodcell.training.output.history import DETECTOR_COLUMNS, write_history
from bloodcell.training.output.result_folder import create_result_folder
from bloodcell.training.samples.field_samples import FieldSamples, load_field_samples
from bloodcell.training.samples.field_tiles import draw_tile
from bloodcell.training.specs.detector_spec import DetectorSpec

N_CHECK_TILES = 16  # tiles on which the exported network is compared with Keras


def train_detector(work_dir: Path, spec: DetectorSpec, data_dir: Path, control: Control) -> dict[str, Any]:
    """Train a detector inside one folder, resuming from the checkpoint in it.

    The folder `result` has detector.onnx, detector.keras, spec.json, metrics.json, history.csv and the card.

    Parameters
    ----------
    work_dir : Path
        Folder of the run; created if it is missing.
    spec : DetectorSpec
    data_dir : Path
        Folder that the sources' paths start from.
    control : Control
        Follows the run and may stop it.

    Returns
    -------
    dict
        Contents of metrics.json.

    Raises
    ------
    StoppedError
        If the user stopped it; the finished epochs are kept.
    RunError
        If the checkpoint is of another run, or the network diverged.
    DatasetError, ImageError
        If the images or boxes cannot be used.
    ModelError
        If the ImageNet weights are missing, or the exported network differs from Keras.
    """
    tf.config.experimental.enable_op_determinism()
    control.log("Reading fields ...")
    samples = load_field_samples(spec, data_dir, control)
    for line in samples.left_out:
        control.log(line)
    work_dir.mkdir(parents=True, exist_ok=True)
    checkpoints = open_checkpoints(work_dir / CHECKPOINT_DIR, spec, samples)
    earlier = checkpoints.read_history()
    write_history(work_dir / HISTORY_FILE, earlier, DETECTOR_COLUMNS)
    started = time.time() - (earlier[-1].seconds if earlier else 0)
    context = RunContext(control, checkpoints, work_dir / HISTORY_FILE, data_dir, fits=1)
    detector, rows = fit_detector(spec, samples, context)
    if not np.isfinite(rows[-1].loss):
        raise RunError("The detector diverged, its loss is no number: take a lower `learning_rate`.")
    result = create_result_folder(work_dir)
    _write_network(detector, result, samples, spec)
    thresholds, held_out = _measure(detector, samples, spec)
    metrics = {
        "seconds": round(time.time() - started),
        "parameters": detector.count_params(),
        "trained_on": {
            source.name: int(sum(field.source == number for field in samples.select(held_out=False)))
            for number, source in enumerate(spec.box_sources)
        },
        "left_out": len(samples.left_out),
        "held_out": held_out,
    }
    description = {
        "format": 1,
        "kind": DETECTOR_KIND,
        "name": spec.name,
        "title": spec.title or spec.name,
        "class_names": list(DETECTED),
        "red_cell_px": spec.red_cell_px,
        "thresholds": thresholds,
        "exclusive": [DETECTED[index] for index in EXCLUSIVE],
        "training": spec.to_dict(),
        "versions": read_versions(),
        "revision": read_revision(),
    }
    write_json(result / SPEC_FILE, description)
    write_json(result / METRICS_FILE, metrics)
    write_history(result / HISTORY_FILE, rows, DETECTOR_COLUMNS)
    write_detector_card(result, spec, thresholds, metrics)
    control.log(f"mAP50 on {held_out['fields']} held-out fields: {held_out['map50']}")
    return metrics


def _write_network(detector: keras.Model, folder: Path, samples: FieldSamples, spec: DetectorSpec) -> None:
    save_network(detector, folder / DETECTOR_KERAS_FILE)
    rng = np.random.default_rng(spec.seed)
    tiles = np.stack([draw_tile(samples.fields, spec, rng).rgb for _ in range(N_CHECK_TILES)])
    with contextlib.redirect_stdout(io.StringIO()):
        export_detector_onnx(detector, folder / DETECTOR_FILE, tiles)


def _measure(
    detector: keras.Model, samples: FieldSamples, spec: DetectorSpec
) -> tuple[dict[str, float], dict[str, Any]]:
    """Choose the thresholds on the held-out fields, and measure on the same: for choosing among runs, not as a test."""
    pairs = [predict_field(detector, field, spec) for field in samples.select(held_out=True)]
    true, found = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    thresholds = {name: choose_threshold(true, found, index) for index, name in enumerate(DETECTED)}
    return thresholds, measure_fields(true, found, DETECTED, np.array(list(thresholds.values()))).to_dict()
