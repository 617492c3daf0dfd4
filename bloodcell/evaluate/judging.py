"""One evaluation from its settings to its figures: open the images, look for leaks, ask the model, judge the answers."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bloodcell.data.contents import Contents
from bloodcell.data.dataset_groups import kept_splits
from bloodcell.data.label_errors import label_errors
from bloodcell.data.open_sources import cells_of_source, open_source, split_of
from bloodcell.data.records import Record
from bloodcell.data.registration import Dataset
from bloodcell.data.shelf import get_dataset, images_table
from bloodcell.data.sources import DATASET
from bloodcell.data.split_file import read_split
from bloodcell.errors import DatasetError, StoppedError
from bloodcell.evaluate.dataset import evaluate, known_records
from bloodcell.evaluate.leak_check import learned_here, look_for_leaks, near_copies_of
from bloodcell.evaluate.report import report
from bloodcell.evaluate.spec import EvaluateSpec
from bloodcell.evaluate.stored import Evaluation, answers_table
from bloodcell.infer.engine import Engine
from bloodcell.runs.folder import ModelInfo, get_model
from bloodcell.runs.learned import LearnedImages, read_learned
from bloodcell.runs.versions import revision, versions
from bloodcell.settings import Settings

Progress = Callable[[str, int, int], None]
PIXELS = "pixels"


@dataclass(frozen=True)
class _Judged:
    """The pictures of an evaluation.

    images, records : to read them from; labels as the model writes them
    groups : int64 (N,), source cell of each
    learned_groups : of these, those that the model learned a picture of, wherever in the dataset that lies
    left_out : label that the model does not know -> pictures
    marked : files left out because their label is marked as wrong
    """

    images: Contents
    records: list[Record]
    groups: np.ndarray
    learned_groups: set[int]
    left_out: dict[str, int]
    marked: tuple[str, ...]


def run_evaluation(
    spec: EvaluateSpec,
    data_dir: Path,
    settings: Settings,
    on_progress: Progress,
    should_stop: Callable[[], bool] = lambda: False,
) -> Evaluation:
    """Do an evaluation.

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
    started = time.time()

    def told(what: str, done: int, total: int) -> None:
        if should_stop():
            raise StoppedError("The evaluation was stopped.")
        on_progress(what, done, total)

    model = get_model(spec.model, settings)
    engine = Engine(model.folder)
    learned = read_learned(model.folder)
    judged = _open(spec, data_dir, settings, engine.class_names, learned, told)
    with judged.images:
        sha256 = []
        for row, record in enumerate(judged.records):
            told("reading", row, len(judged.records))
            sha256.append(hashlib.sha256(judged.images.read(record.file)).hexdigest())
        near = None
        if learned is not None and spec.compares_pixels:
            by_groups = spec.data.path if spec.data.groups != PIXELS else ""  # there the groups have told already
            others = [one for one in learned_here(learned, settings) if one[0].id != by_groups]
            near = near_copies_of(others, judged.images, judged.records, told, should_stop)
        leak, words = look_for_leaks(learned, sha256, judged.learned_groups, judged.groups, near)
        begun = time.time()
        answered = evaluate(
            engine, judged.images, judged.records, judged.groups, lambda done, total: told("classifying", done, total)
        )
        seconds = time.time() - begun
    told("working out the figures", 0, 1)
    table = answers_table([record.file for record in judged.records], answered).assign(leak=words, sha256=sha256)
    protocol = protocol_of(model) | {
        "title": spec.job_title,
        "dataset": spec.data.name,
        "dataset_id": spec.data.path if spec.data.layout == DATASET else "",
        "part": " ".join(filter(None, (spec.data.split, spec.part))),
        "groups": spec.data.groups,
        "left_out": judged.left_out,
        "left_out_marked": list(judged.marked),
        "leak": leak.to_json(),
        "images_sha256": images_sha256(table),
        "images_per_s": round(len(judged.records) / seconds, 1),
        "seconds": round(time.time() - started, 1),
        "spec": asdict(spec),
    }
    return Evaluation(protocol, table, report(answered))


def protocol_of(model: ModelInfo) -> dict[str, Any]:
    """What of an evaluation's protocol follows from the model, and when and with which code it is made."""
    return {
        "model": model.name,
        "model_title": model.title,
        "model_sha256": model.sha256,
        "class_names": list(model.class_names),
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "versions": versions(),
        "revision": revision(),
    }


def images_sha256(answers: pd.DataFrame) -> str:
    """SHA-256 over what was judged: bytes, label and source cell of each picture, in the order of their names."""
    rows = answers.sort_values("file")[["file", "sha256", "label", "source_cell"]].to_numpy().tolist()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def parts_of(dataset: Dataset) -> dict[tuple[str, str], int]:
    """What of a dataset can be judged by itself: (split, part) -> pictures; the split "" is the dataset's own."""
    found = Counter(("", one) for one in images_table(dataset)["split"] if one)
    for name, file in kept_splits(dataset).items():
        found.update((name, part) for part in read_split(file).table["split"])
    return dict(found)


def _open(
    spec: EvaluateSpec,
    data_dir: Path,
    settings: Settings,
    class_names: Sequence[str],
    learned: LearnedImages | None,
    told: Progress,
) -> _Judged:
    source = spec.data
    dataset = get_dataset(source.path, settings) if source.layout == DATASET else None
    images, every = open_source(source, data_dir)
    in_part = _of_part(spec, data_dir, dataset, every)
    known = known_records(in_part, class_names)
    marks = label_errors(dataset) if dataset is not None and spec.leaves_out_marked else {}
    records = [record for record in known if record.file not in marks]
    if not records:
        raise DatasetError(f"All {len(known)} pictures are marked as label errors, so none is left to judge.")
    names = {record.file for record in known}
    if source.groups == PIXELS:
        groups = cells_of_source(source, data_dir, images, records, lambda done, total: told("copies", done, total))
        learned_groups: set[int] = set()
    else:
        of_every = cells_of_source(source, data_dir, images, every)
        group_of = dict(zip((record.file for record in every), of_every.tolist(), strict=True))
        groups = np.array([group_of[record.file] for record in records])
        learned_groups = _learned_groups(dataset, learned, group_of)
    return _Judged(
        images,
        records,
        groups,
        learned_groups,
        dict(Counter(record.label for record in in_part if record.file not in names)),
        tuple(record.file for record in known if record.file in marks),
    )


def _of_part(spec: EvaluateSpec, data_dir: Path, dataset: Dataset | None, every: Sequence[Record]) -> list[Record]:
    """The pictures of the part that was asked for."""
    if not spec.part:
        return list(every)
    split = split_of(spec.data, data_dir)
    if split is not None:
        part_of = dict(zip(split.table["file"], split.table["split"], strict=True))
    elif dataset is not None:
        table = images_table(dataset)
        part_of = dict(zip(table["file"], table["split"], strict=True))
    else:
        part_of = {}
    found = [record for record in every if part_of.get(record.file) == spec.part]
    if not found:
        there = ", ".join(sorted(set(part_of.values()) - {""})) or "none"
        raise DatasetError(f"{spec.data.name} has no pictures in a part {spec.part!r}. Its parts: {there}.")
    return found


def _learned_groups(dataset: Dataset | None, learned: LearnedImages | None, group_of: dict[str, int]) -> set[int]:
    """Source cells of a dataset that a model learned a picture of."""
    if dataset is None or learned is None:
        return set()
    table = images_table(dataset)
    taught = table["file"][learned.taught(table["sha256"])]
    return {group_of[file] for file in taught if file in group_of}
