"""What is found once for a source of images and kept in files: their names, and the source cells of the images."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bloodcell.core.io import open_atomic
from bloodcell.datasets.catalog.open_sources import resolve_source_cells, resolve_source_path
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents

CountProgress = Callable[[int, int], None]


def hash_content(content: list) -> str:
    """A short hash of what a kept file depends on."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def make_safe_name(name: str) -> str:
    """The name of a source as part of a file's name."""
    return re.sub(r"[^\w .-]", "_", name)[:60]


def read_file_stamps(source: SourceSpec, data_dir: Path, records: list[Record]) -> list:
    """Path, sizes and times of a source's files: what changes when the files do."""
    path = resolve_source_path(source, data_dir)
    files = [path / record.file for record in records] if path.is_dir() else [path]
    return [source.path, [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]]


def load_source_groups(
    source: SourceSpec,
    data_dir: Path,
    images: Contents,
    records: list[Record],
    cache_dir: Path,
    on_progress: CountProgress | None = None,
) -> np.ndarray:
    """Source cell of each image; finding copies takes minutes, so what was found is kept.

    Parameters
    ----------
    data_dir : folder that the source's path starts from
    cache_dir : folder to keep it in; it must exist

    Returns
    -------
    int64 array of shape (len(records),)

    Raises
    ------
    DatasetError
        As `datasets.catalog.open_sources.resolve_source_cells`.
    """
    if source.groups != "pixels":
        return resolve_source_cells(source, data_dir, images, records)
    key = hash_content([read_file_stamps(source, data_dir, records), [record.file for record in records]])
    stored = cache_dir / f"copies-{make_safe_name(source.name)}-{key}.npy"
    if not stored.exists():
        found = resolve_source_cells(source, data_dir, images, records, on_progress)
        with open_atomic(stored) as stream:
            np.save(stream, found)
    return np.asarray(np.load(stored, allow_pickle=False))
