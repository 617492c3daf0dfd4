"""The labelled images of an evaluation: which ones of a dataset, with their source cells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import OnStep
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

PIXELS = "pixels"


@dataclass(frozen=True)
class EvaluationImages:
    """The N images of an evaluation.

    Attributes
    ----------
    images : Contents
        To read them from.
    records : list of Record, length N
        Labels as the model writes them.
    groups : ndarray of int64, shape (N,)
        Source cell of each.
    trained_groups : set of int
        Source cells that the model was trained on, by any image of the dataset.
    excluded_labels : dict of str to int
        Images of each label that the model does not know.
    excluded_files : tuple of str
        Files left out because their label is marked as wrong.
    """

    images: Contents
    records: list[Record]
    groups: np.ndarray
    trained_groups: set[int]
    excluded_labels: dict[str, int]
    excluded_files: tuple[str, ...]


def count_part_images(dataset: Dataset) -> dict[tuple[str, str], int]:
    """Count the images of each part of a dataset that can be evaluated by itself.

    Returns
    -------
    dict of (str, str) to int
        By (split, part); the split "" is the dataset's own.
    """
    counts = Counter(("", part) for part in read_images_table(dataset)["split"] if part)
    for name, file in list_stored_splits(dataset).items():
        counts.update((name, part) for part in read_split(file).table["split"])
    return dict(counts)


def select_images(
    spec: EvaluateSpec,
    data_dir: Path,
    settings: Settings,
    class_names: Sequence[str],
    provenance: Provenance | None,
    on_step: OnStep,
) -> EvaluationImages:
    """Open the images that a spec names, find their source cells, and leave out what the model does not know.

    Parameters
    ----------
    spec : EvaluateSpec
    data_dir : Path
        Folder that the path of ``spec.data`` starts from.
    settings : Settings
    class_names : sequence of str
        Of the model.
    provenance : Provenance or None
        What the model was trained on; None where it does not say.
    on_step : callable
        Called with what is being done, and (done, total) of it.

    Returns
    -------
    EvaluationImages

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
        raise DatasetError(f"All {len(known)} images are marked as label errors, so none is left to evaluate.")
    known_files = {record.file for record in known}
    if source.groups == PIXELS:
        groups = resolve_source_cells(
            source, data_dir, images, records, lambda done, total: on_step("copies", done, total)
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
        dict(Counter(record.label for record in in_part if record.file not in known_files)),
        tuple(record.file for record in known if record.file in marks),
    )


def _select_part(
    spec: EvaluateSpec, data_dir: Path, dataset: Dataset | None, all_records: Sequence[Record]
) -> list[Record]:
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
    in_part = [record for record in all_records if part_of.get(record.file) == spec.part]
    if not in_part:
        part_names = ", ".join(sorted(set(part_of.values()) - {""})) or "none"
        raise DatasetError(f"{spec.data.name} has no images in a part {spec.part!r}. Its parts: {part_names}.")
    return in_part


def _find_trained_groups(dataset: Dataset | None, provenance: Provenance | None, group_of: dict[str, int]) -> set[int]:
    """Find the source cells of a dataset that a model was trained on."""
    if dataset is None or provenance is None:
        return set()
    table = read_images_table(dataset)
    trained_files = table["file"][provenance.is_trained_on(table["sha256"])]
    return {group_of[file] for file in trained_files if file in group_of}
