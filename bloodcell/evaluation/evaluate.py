"""One evaluation from its settings to its figures: look for leaks, ask the model, judge the answers."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import StoppedError
from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.library import get_dataset
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import DATASET
from bloodcell.evaluation.evaluation_folder import Evaluation, build_prediction_table
from bloodcell.evaluation.leak_check import check_leaks, find_near_copies, find_training_datasets
from bloodcell.evaluation.metrics.measure import compute_report
from bloodcell.evaluation.predict import predict_records
from bloodcell.evaluation.selection import PIXELS, EvaluationImages, Progress, select_images
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.inference.engine import Engine
from bloodcell.model_store.folder import ModelInfo, get_model
from bloodcell.model_store.provenance import Provenance, read_provenance
from bloodcell.model_store.versions import read_revision, versions


def run_evaluation(
    spec: EvaluateSpec,
    data_dir: Path,
    settings: Settings,
    on_progress: Progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Do an evaluation of the workspace.

    Parameters
    ----------
    data_dir : folder that the path of `spec.data` starts from
    on_progress : called with what is done, and (done, total) of it
    should_stop : asked at every picture

    Raises
    ------
    ModelError, DatasetError
        If the model or the images cannot be used.
    StoppedError
        If `should_stop` says so.
    """

    def report_progress(what: str, done: int, total: int) -> None:
        if should_stop():
            raise StoppedError("The evaluation was stopped.")
        on_progress(what, done, total)

    model = get_model(spec.model, settings)
    provenance = read_provenance(model.folder)
    dataset = get_dataset(spec.data.path, settings) if spec.data.layout == DATASET else None
    selection = select_images(spec, data_dir, settings, model.class_names, provenance, report_progress)
    trained_datasets = []
    if provenance is not None and spec.compares_pixels:
        by_groups = spec.data.path if spec.data.groups != PIXELS else ""  # there the groups tell already
        trained_datasets = [one for one in find_training_datasets(provenance, settings) if one[0].id != by_groups]
    protocol_fields = {
        "title": spec.display_title,
        "dataset": spec.data.name,
        "dataset_id": "" if dataset is None else dataset.id,
        "dataset_sha256": "" if dataset is None else dataset.fingerprint,
        "part": " ".join(filter(None, (spec.data.split, spec.part))),
        "groups": spec.data.groups,
        "spec": asdict(spec),
        "data_dir": os.fspath(data_dir),
    }
    return evaluate_model(model, selection, protocol_fields, provenance, trained_datasets, report_progress, should_stop)


def evaluate_model(
    model: ModelInfo,
    selection: EvaluationImages,
    protocol_fields: dict[str, Any],
    provenance: Provenance | None,
    trained_datasets: Sequence[tuple[Dataset, pd.DataFrame]],
    report_progress: Progress,
    should_stop: Callable[[], bool] | None = None,
) -> Evaluation:
    """Ask a model about pictures and judge its answers.

    Parameters
    ----------
    pictures : they are closed in the end
    how : what the protocol shall say of them: title, dataset, dataset_id, dataset_sha256, part, groups, and more
    learned : what the model learned from; None where it does not say
    others : datasets with learned pictures, whose pixels to compare with (`leak_check.find_training_datasets`)
    """
    started = time.time()
    engine, records = Engine(model.folder), selection.records
    with selection.images:
        sha256 = []
        for row, record in enumerate(records):
            report_progress("reading", row, len(records))
            sha256.append(hashlib.sha256(selection.images.read(record.file)).hexdigest())
        near_copies = find_near_copies(trained_datasets, selection.images, records, report_progress, should_stop)
        leak, words = check_leaks(provenance, sha256, selection.trained_groups, selection.groups, near_copies)
        prediction_started = time.time()
        predictions = predict_records(
            engine,
            selection.images,
            records,
            selection.groups,
            lambda done, total: report_progress("classifying", done, total),
        )
        seconds = time.time() - prediction_started
    report_progress("working out the figures", 0, 1)
    table = build_prediction_table([record.file for record in records], predictions).assign(leak=words, sha256=sha256)
    protocol = {
        "model": model.name,
        "model_title": model.title,
        "model_sha256": model.sha256,
        "class_names": list(model.class_names),
        "temperature": engine.temperature,
        **protocol_fields,
        "path": os.fspath(selection.images.path),
        "left_out": selection.left_out,
        "left_out_marked": list(selection.marked),
        "leak": leak.to_json(),
        "images_sha256": hash_evaluated_images(table),
        "images_per_s": round(len(records) / seconds, 1),
        "created": now_utc(),
        "seconds": round(time.time() - started, 1),
        "versions": versions(),
        "revision": read_revision(),
    }
    return Evaluation(protocol, table, compute_report(predictions))


def hash_evaluated_images(answers: pd.DataFrame) -> str:
    """SHA-256 over what was judged: bytes, label and source cell of each picture, in the order of their names."""
    rows = answers.sort_values("file")[["file", "sha256", "label", "source_cell"]].to_numpy().tolist()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
