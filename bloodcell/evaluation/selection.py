"""The labelled pictures that an evaluation is about: which of a dataset, with their source cells."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.groups_and_splits import list_stored_splits
from bloodcell.datasets.catalog.label_errors import read_label_errors
from bloodcell.datasets.catalog.library import get_dataset, read_images_table
from bloodcell.datasets.catalog.open_sources import open_source, read_source_split, resolve_source_cells
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import DATASET
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.splits.split_file import read_split
from bloodcell.evaluation.predict import match_records_to_classes
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.model_store.provenance import Provenance

Progress = Callable[[str, int, int], None]
PIXELS = "pixels"


@dataclass(frozen=True)
class EvaluationImages:
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
    trained_groups: set[int]
    left_out: dict[str, int]
    marked: tuple[str, ...]


def count_part_images(dataset: Dataset) -> dict[tuple[str, str], int]:
    """What of a dataset can be judged by itself: (split, part) -> pictures; the split "" is the dataset's own."""
    found = Counter(("", one) for one in read_images_table(dataset)["split"] if one)
    for name, file in list_stored_splits(dataset).items():
        found.update((name, part) for part in read_split(file).table["split"])
    return dict(found)


def select_images(
    spec: EvaluateSpec,
    data_dir: Path,
    settings: Settings,
    class_names: Sequence[str],
    provenance: Provenance | None,
    on_progress: Progress,
) -> EvaluationImages:
    """Open the pictures that settings name, find their source cells, and leave out what the model does not know.

    Raises
    ------
    DatasetError
        If they are not there, no label is one of the model's classes, the part is empty, or all labels are marked.
    """
    source = spec.data
    dataset = get_dataset(source.path, settings) if source.layout == DATASET else None
    images, all_records = open_source(source, data_dir)
    in_part = _select_part(spec, data_dir, dataset, all_records)
    known = match_records_to_classes(in_part, class_names)
    marks = read_label_errors(dataset) if dataset is not None and spec.leaves_out_marked else {}
    records = [record for record in known if record.file not in marks]
    if not records:
        raise DatasetError(f"All {len(known)} pictures are marked as label errors, so none is left to judge.")
    names = {record.file for record in known}
    if source.groups == PIXELS:
        groups = resolve_source_cells(
            source, data_dir, images, records, lambda done, total: on_progress("copies", done, total)
        )
        trained_groups: set[int] = set()
    else:
        all_groups = resolve_source_cells(source, data_dir, images, all_records)
        group_of = dict(zip((record.file for record in all_records), all_groups.tolist(), strict=True))
        groups = np.array([group_of[record.file] for record in records])
        trained_groups = _find_trained_groups(dataset, provenance, group_of)
    return EvaluationImages(
        images,
        records,
        groups,
        trained_groups,
        dict(Counter(record.label for record in in_part if record.file not in names)),
        tuple(record.file for record in known if record.file in marks),
    )


def _select_part(
    spec: EvaluateSpec, data_dir: Path, dataset: Dataset | None, all_records: Sequence[Record]
) -> list[Record]:
    """The pictures of the part that was asked for."""
    if not spec.part:
        return list(all_records)
    split = read_source_split(spec.data, data_dir)
    if split is not None:
        part_of = dict(zip(split.table["file"], split.table["split"], strict=True))
    elif dataset is not None:
        table = read_images_table(dataset)
        part_of = dict(zip(table["file"], table["split"], strict=True))
    else:
        part_of = {}
    found = [record for record in all_records if part_of.get(record.file) == spec.part]
    if not found:
        part_names = ", ".join(sorted(set(part_of.values()) - {""})) or "none"
        raise DatasetError(f"{spec.data.name} has no pictures in a part {spec.part!r}. Its parts: {part_names}.")
    return found


def _find_trained_groups(dataset: Dataset | None, provenance: Provenance | None, group_of: dict[str, int]) -> set[int]:
    """Source cells of a dataset that a model learned a picture of."""
    if dataset is None or provenance is None:
        return set()
    table = read_images_table(dataset)
    trained_files = table["file"][provenance.is_trained_on(table["sha256"])]
    return {group_of[file] for file in trained_files if file in group_of}
