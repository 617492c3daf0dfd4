"""The labelled pictures that an evaluation is about: which of a dataset, with their source cells."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.groups_and_splits import kept_splits
from bloodcell.datasets.catalog.label_errors import label_errors
from bloodcell.datasets.catalog.library import get_dataset, images_table
from bloodcell.datasets.catalog.open_sources import cells_of_source, open_source, split_of
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.sources import DATASET
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.splits.split_file import read_split
from bloodcell.evaluation.predict import known_records
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.model_store.provenance import LearnedImages

Progress = Callable[[str, int, int], None]
PIXELS = "pixels"


@dataclass(frozen=True)
class ToJudge:
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


def parts_of(dataset: Dataset) -> dict[tuple[str, str], int]:
    """What of a dataset can be judged by itself: (split, part) -> pictures; the split "" is the dataset's own."""
    found = Counter(("", one) for one in images_table(dataset)["split"] if one)
    for name, file in kept_splits(dataset).items():
        found.update((name, part) for part in read_split(file).table["split"])
    return dict(found)


def open_pictures(
    spec: EvaluateSpec,
    data_dir: Path,
    settings: Settings,
    class_names: Sequence[str],
    learned: LearnedImages | None,
    told: Progress,
) -> ToJudge:
    """Open the pictures that settings name, find their source cells, and leave out what the model does not know.

    Raises
    ------
    DatasetError
        If they are not there, no label is one of the model's classes, the part is empty, or all labels are marked.
    """
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
    return ToJudge(
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
