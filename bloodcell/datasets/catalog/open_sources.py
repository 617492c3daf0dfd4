"""Open the sources of a training run: images, labels, source cells and splits of a folder or a registered dataset."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import OnProgress
from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.changes import UNCHANGED, check_dataset_state
from bloodcell.datasets.catalog.groups_and_splits import list_stored_splits, read_stored_groups
from bloodcell.datasets.catalog.library import get_dataset, read_images_table
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.catalog.source_spec import (
    BY_NAME,
    DATASET,
    STORED,
    SourceSpec,
    assign_source_cells,
    list_source_records,
    number_groups,
)
from bloodcell.datasets.copies.known_groups import group_by_name
from bloodcell.datasets.labels.records import Record, name_files
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.splits.split import Split
from bloodcell.datasets.splits.split_file import read_split


def resolve_source_path(source: SourceSpec, data_dir: Path) -> Path:
    """Return where the images of a source lie; DatasetError if it names a dataset that is not registered."""
    return _get_source_dataset(source).path if source.layout == DATASET else data_dir / source.path


def open_source(source: SourceSpec, data_dir: Path) -> tuple[Contents, list[Record]]:
    """Open the images of a source and list the labelled ones, with labels in capitals.

    Raises
    ------
    DatasetError
        If the images are missing, are not as described, or have changed since their dataset was scanned.
    """
    if source.layout != DATASET:
        images = Contents(data_dir / source.path)
        return images, list_source_records(source, images)
    dataset = _get_source_dataset(source)
    state = check_dataset_state(dataset, reads_bytes=True)
    if state.kind != UNCHANGED:
        raise DatasetError(f"{state.message} Rescan {dataset.name} on the Datasets page.")
    table = read_images_table(dataset)
    usable = table.loc[table["problem"] == "", ["file", "label"]].sort_values("file")
    labels = dict(source.labels)
    records = [Record(file, labels.get(label, label).upper()) for file, label in usable.itertuples(index=False)]
    return Contents(dataset.path), records


def resolve_source_cells(
    source: SourceSpec,
    data_dir: Path,
    images: Contents,
    records: Sequence[Record],
    on_progress: OnProgress | None = None,
) -> np.ndarray:
    """Return the source cell of each image; copies of one cell share a number.

    Parameters
    ----------
    source : SourceSpec
        Its `groups` says where the source cells come from.
    data_dir : Path
        Folder of the data, which paths in `source` start from.
    images : Contents
        From `open_source`.
    records : sequence of Record
        From `open_source`.
    on_progress : callable, optional
        Called with (done, total) while copies are searched for.

    Returns
    -------
    ndarray of int64, shape (N,)

    Raises
    ------
    DatasetError
        If stored groups are missing, are older than the images, or do not cover every image; or as for
        `source_spec.assign_source_cells`.
    """
    if source.groups == STORED:
        return _read_stored_cells(_get_source_dataset(source), records)
    if source.groups.startswith(BY_NAME):
        group_of = group_by_name(source.groups.removeprefix(BY_NAME), [record.file for record in records])
        return number_groups(group_of, records)
    method = source.groups if source.groups in ("pixels", "each") else str(data_dir / source.groups)
    return assign_source_cells(method, images, records, on_progress)


def read_source_split(source: SourceSpec, data_dir: Path) -> Split | None:
    """Read the split that a source names; None if it names none, DatasetError if it cannot be read."""
    if not source.split:
        return None
    if source.layout != DATASET:
        return read_split(data_dir / source.split)
    dataset = _get_source_dataset(source)
    splits = list_stored_splits(dataset)
    if source.split not in splits:
        split_names = ", ".join(splits) or "none"
        raise DatasetError(f"{dataset.name} has no split {source.split!r}. Stored: {split_names}.")
    return read_split(splits[source.split])


def _get_source_dataset(source: SourceSpec) -> Dataset:
    return get_dataset(source.path, load_settings())


def _read_stored_cells(dataset: Dataset, records: Sequence[Record]) -> np.ndarray:
    stored_groups = read_stored_groups(dataset)
    if stored_groups is None:
        raise DatasetError(f"{dataset.name} has no stored groups; find its copies first, on the Datasets page.")
    if not stored_groups.is_current:
        raise DatasetError(f"The stored groups of {dataset.name} are older than its images; find its copies again.")
    missing = [record.file for record in records if record.file not in stored_groups.group_of]
    if missing:
        raise DatasetError(
            f"The stored groups of {dataset.name} must cover every image. Missing: {name_files(missing)}."
        )
    return number_groups(stored_groups.group_of, records)
