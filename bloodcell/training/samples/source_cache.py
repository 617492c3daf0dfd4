"""What is found once for a source of images and kept in files: their names, and the source cells of the images."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bloodcell.core.io import writing_whole
from bloodcell.datasets.catalog.open_sources import cells_of_source, place_of
from bloodcell.datasets.catalog.sources import SourceSpec
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents

Counter = Callable[[int, int], None]


def content_key(content: list) -> str:
    """A short hash of what a kept file depends on."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def in_a_file_name(name: str) -> str:
    """The name of a source as part of a file's name."""
    return re.sub(r"[^\w .-]", "_", name)[:60]


def stamps(source: SourceSpec, data_dir: Path, records: list[Record]) -> list:
    """Path, sizes and times of a source's files: what changes when the files do."""
    path = place_of(source, data_dir)
    files = [path / record.file for record in records] if path.is_dir() else [path]
    return [source.path, [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]]


def source_groups(
    source: SourceSpec,
    data_dir: Path,
    images: Contents,
    records: list[Record],
    cache_dir: Path,
    on_progress: Counter | None = None,
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
        As `datasets.catalog.open_sources.cells_of_source`.
    """
    if source.groups != "pixels":
        return cells_of_source(source, data_dir, images, records)
    key = content_key([stamps(source, data_dir, records), [record.file for record in records]])
    stored = cache_dir / f"copies-{in_a_file_name(source.name)}-{key}.npy"
    if not stored.exists():
        found = cells_of_source(source, data_dir, images, records, on_progress)
        with writing_whole(stored) as stream:
            np.save(stream, found)
    return np.asarray(np.load(stored, allow_pickle=False))
