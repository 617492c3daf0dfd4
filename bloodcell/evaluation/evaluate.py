"""Evaluate a model on labelled images: check for leaks, predict, compute metrics."""

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import StoppedError
from bloodcell.core.progress import OnProgress, OnStep, ShouldStop
from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.library import get_dataset
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import DATASET
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.evaluation.evaluation_folder import Evaluation, build_prediction_table
from bloodcell.evaluation.leak_check import check_leaks, find_near_copies, find_training_datasets
from bloodcell.evaluation.metrics.measure import compute_report
from bloodcell.evaluation.metrics.report import EvaluationReport
from bloodcell.evaluation.predict import predict_records
from bloodcell.evaluation.protocol import EvaluationProtocol
from bloodcell.evaluation.selection import PIXELS, EvaluationImages, select_images
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.inference.engine import Engine
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.library import ModelInfo, get_model
from bloodcell.model_store.provenance import Provenance
from bloodcell.model_store.versions import read_revision, read_versions


def evaluate(
    engine: Engine,
    images: Contents,
    records: Sequence[Record],
    groups: np.ndarray,
    on_progress: OnProgress | None = None,
) -> EvaluationReport:
    """Predict labelled images and measure the predictions, with intervals over source cells.

    Parameters
    ----------
    engine : Engine
        The model.
    images : Contents
        Folder or zip that the images are read from.
    records : sequence of Record, length N
        Files and labels; records whose label is none of ``engine.class_names`` are left out.
    groups : ndarray of int, shape (N,)
        Source cell of each image; ``np.arange(N)`` where every image shows a cell of its own.
    on_progress : callable, optional
        Called with (done, total) after each image.

    Returns
    -------
    EvaluationReport
        Whether the model was trained on the images is not checked; `run_evaluation` does.

    Raises
    ------
    DatasetError
        If no label is one of the model's classes, or an image cannot be read from the disk.

    Examples
    --------
    Two drawn fields with one white cell each, and the shipped model:

    >>> from tempfile import TemporaryDirectory
    >>> from bloodcell.core.installation import find_file
    >>> from bloodcell.imaging.read import encode_png
    >>> from bloodcell.synthetic.fields import draw_field
    >>> records = [Record("1.png", "EOSINOPHIL"), Record("2.png", "LYMPHOCYTE")]
    >>> with TemporaryDirectory() as folder:
    ...     for seed, record in enumerate(records):
    ...         field = draw_field(seed, 1, 480, 640, class_names=[record.label])
    ...         _ = (Path(folder) / record.file).write_bytes(encode_png(field.rgb))
    ...     report = evaluate(Engine(find_file("models/wbc4")), Contents(Path(folder)), records, np.arange(2))
    >>> report.n_images, report.n_source_cells
    (2, 2)
    """
    return compute_report(predict_records(engine, images, records, groups, on_progress))


def run_evaluation(
    spec: EvaluateSpec,
    data_dir: Path,
    settings: Settings,
    on_step: OnStep,
    should_stop: ShouldStop = lambda: False,
) -> Evaluation:
    """Run an evaluation of the workspace.

    Parameters
    ----------
    spec : EvaluateSpec
    data_dir : Path
        Folder that the path of ``spec.data`` starts from.
    settings : Settings
    on_step : callable
        Called with what is being done, and (done, total) of it.
    should_stop : callable, optional
        Asked at every image.

    Returns
    -------
    Evaluation

    Raises
    ------
    ModelError, DatasetError
        If the model or the images cannot be used.
    StoppedError
        If `should_stop` says so.
    """

    def report_step(what: str, done: int, total: int) -> None:
        if should_stop():
            raise StoppedError("The evaluation was stopped.")
        on_step(what, done, total)

    model = get_model(spec.model, settings)
    provenance = ModelFolder(model.folder).read_provenance()
    dataset = get_dataset(spec.data.path, settings) if spec.data.layout == DATASET else None
    selection = select_images(spec, data_dir, settings, model.class_names, provenance, report_step)
    training_datasets = []
    if provenance is not None and spec.compares_pixels:
        # In the evaluated dataset itself the groups already tell which images are copies.
        covered_id = spec.data.path if spec.data.groups != PIXELS else ""
        training_datasets = [
            (each, rows) for each, rows in find_training_datasets(provenance, settings) if each.id != covered_id
        ]
    protocol_fields = {
        "title": spec.display_title,
        "dataset": spec.data.name,
        "dataset_id": "" if dataset is None else dataset.id,
        "dataset_sha256": "" if dataset is None else dataset.fingerprint,
        "part": " ".join(filter(None, (spec.data.split, spec.part))),
        "groups": spec.data.groups,
        "spec": spec.to_dict(),
        "data_dir": os.fspath(data_dir),
    }
    return evaluate_model(model, selection, protocol_fields, provenance, training_datasets, report_step, should_stop)


def evaluate_model(
    model: ModelInfo,
    selection: EvaluationImages,
    protocol_fields: Mapping[str, Any],
    provenance: Provenance | None,
    training_datasets: Sequence[tuple[Dataset, pd.DataFrame]],
    on_step: OnStep,
    should_stop: ShouldStop | None = None,
) -> Evaluation:
    """Evaluate a model on selected images.

    Parameters
    ----------
    model : ModelInfo
    selection : EvaluationImages
        Its images are closed in the end.
    protocol_fields : mapping of str to Any
        Fields of `EvaluationProtocol` that tell where the images are from: title, dataset, dataset_id, dataset_sha256,
        part, groups, and spec and data_dir or command.
    provenance : Provenance or None
        What the model was trained on; None where it does not say.
    training_datasets : sequence of (Dataset, DataFrame)
        Training images to compare with by their pixels, as `leak_check.find_training_datasets` returns them.
    on_step : callable
        Called with what is being done, and (done, total) of it.
    should_stop : callable, optional

    Returns
    -------
    Evaluation
    """
    started = time.time()
    engine, records = Engine(model.folder), selection.records
    with selection.images:
        sha256 = []
        for row, record in enumerate(records):
            on_step("reading", row, len(records))
            sha256.append(hashlib.sha256(selection.images.read(record.file)).hexdigest())
        near_copies = find_near_copies(training_datasets, selection.images, records, on_step, should_stop)
        leak, leak_kinds = check_leaks(provenance, sha256, selection.trained_groups, selection.groups, near_copies)
        prediction_started = time.time()
        predictions = predict_records(
            engine,
            selection.images,
            records,
            selection.groups,
            lambda done, total: on_step("classifying", done, total),
        )
        prediction_s = time.time() - prediction_started
    on_step("computing metrics", 0, 1)
    table = build_prediction_table([record.file for record in records], predictions)
    table = table.assign(leak=leak_kinds, sha256=sha256)
    protocol = EvaluationProtocol(
        model=model.name,
        model_title=model.title,
        model_sha256=model.sha256,
        class_names=tuple(model.class_names),
        temperature=engine.temperature,
        **protocol_fields,
        path=os.fspath(selection.images.path),
        excluded_labels=selection.excluded_labels,
        excluded_files=selection.excluded_files,
        leak=leak,
        images_sha256=hash_evaluated_images(table),
        images_per_s=round(len(records) / prediction_s, 1),
        created=now_utc(),
        seconds=round(time.time() - started, 1),
        versions=read_versions(),
        revision=read_revision(),
    )
    return Evaluation(protocol, table, compute_report(predictions))


def hash_evaluated_images(prediction_table: pd.DataFrame) -> str:
    """Return the SHA-256 over bytes, label and source cell of each image, in the order of their names."""
    columns = ["file", "sha256", "label", "source_cell"]
    rows = prediction_table.sort_values("file")[columns].to_numpy().tolist()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
