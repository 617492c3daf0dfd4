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

from bloodcell.core.errors import StoppedError
from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.library import get_dataset
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.sources import DATASET
from bloodcell.db.schema import now_utc
from bloodcell.evaluation.evaluation_folder import Evaluation, answers_table
from bloodcell.evaluation.leak_check import learned_here, look_for_leaks, near_copies_of
from bloodcell.evaluation.metrics.measure import report
from bloodcell.evaluation.predict import evaluate
from bloodcell.evaluation.selection import PIXELS, Progress, ToJudge, open_pictures
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.inference.engine import Engine
from bloodcell.model_store.folder import ModelInfo, get_model
from bloodcell.model_store.provenance import LearnedImages, read_learned
from bloodcell.model_store.versions import revision, versions


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

    def told(what: str, done: int, total: int) -> None:
        if should_stop():
            raise StoppedError("The evaluation was stopped.")
        on_progress(what, done, total)

    model = get_model(spec.model, settings)
    learned = read_learned(model.folder)
    dataset = get_dataset(spec.data.path, settings) if spec.data.layout == DATASET else None
    pictures = open_pictures(spec, data_dir, settings, model.class_names, learned, told)
    others = []
    if learned is not None and spec.compares_pixels:
        by_groups = spec.data.path if spec.data.groups != PIXELS else ""  # there the groups tell already
        others = [one for one in learned_here(learned, settings) if one[0].id != by_groups]
    how = {
        "title": spec.display_title,
        "dataset": spec.data.name,
        "dataset_id": "" if dataset is None else dataset.id,
        "dataset_sha256": "" if dataset is None else dataset.fingerprint,
        "part": " ".join(filter(None, (spec.data.split, spec.part))),
        "groups": spec.data.groups,
        "spec": asdict(spec),
        "data_dir": os.fspath(data_dir),
    }
    return judge(model, pictures, how, learned, others, told, should_stop)


def judge(
    model: ModelInfo,
    pictures: ToJudge,
    how: dict[str, Any],
    learned: LearnedImages | None,
    others: Sequence[tuple[Dataset, pd.DataFrame]],
    told: Progress,
    should_stop: Callable[[], bool] | None = None,
) -> Evaluation:
    """Ask a model about pictures and judge its answers.

    Parameters
    ----------
    pictures : they are closed in the end
    how : what the protocol shall say of them: title, dataset, dataset_id, dataset_sha256, part, groups, and more
    learned : what the model learned from; None where it does not say
    others : datasets with learned pictures, whose pixels to compare with (`leak_check.learned_here`)
    """
    started = time.time()
    engine, records = Engine(model.folder), pictures.records
    with pictures.images:
        sha256 = []
        for row, record in enumerate(records):
            told("reading", row, len(records))
            sha256.append(hashlib.sha256(pictures.images.read(record.file)).hexdigest())
        near = near_copies_of(others, pictures.images, records, told, should_stop)
        leak, words = look_for_leaks(learned, sha256, pictures.learned_groups, pictures.groups, near)
        begun = time.time()
        answered = evaluate(
            engine,
            pictures.images,
            records,
            pictures.groups,
            lambda done, total: told("classifying", done, total),
        )
        seconds = time.time() - begun
    told("working out the figures", 0, 1)
    table = answers_table([record.file for record in records], answered).assign(leak=words, sha256=sha256)
    protocol = {
        "model": model.name,
        "model_title": model.title,
        "model_sha256": model.sha256,
        "class_names": list(model.class_names),
        "temperature": engine.temperature,
        **how,
        "path": os.fspath(pictures.images.path),
        "left_out": pictures.left_out,
        "left_out_marked": list(pictures.marked),
        "leak": leak.to_json(),
        "images_sha256": images_sha256(table),
        "images_per_s": round(len(records) / seconds, 1),
        "created": now_utc(),
        "seconds": round(time.time() - started, 1),
        "versions": versions(),
        "revision": revision(),
    }
    return Evaluation(protocol, table, report(answered))


def images_sha256(answers: pd.DataFrame) -> str:
    """SHA-256 over what was judged: bytes, label and source cell of each picture, in the order of their names."""
    rows = answers.sort_values("file")[["file", "sha256", "label", "source_cell"]].to_numpy().tolist()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
