"""What is computed once for a source of images and cached in files: their names, and the source cells of the images."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bloodcell.core.io import open_atomic
from bloodcell.core.progress import Control, OnProgress, OnStep, raise_if_stopped
from bloodcell.datasets.catalog.open_sources import resolve_source_cells, resolve_source_path
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents


def report_reading(control: Control) -> OnStep:
    """Return a progress function that reports to `control`, and stops where that wants to: StoppedError."""

    def on_progress(source: str, done: int, total: int) -> None:
        raise_if_stopped(control)
        control.on_reading(source, done, total)

    return on_progress


def hash_content(content: Any) -> str:
    """Compute a short hash of JSON content that a cached file depends on.

    Examples
    --------
    >>> hash_content(["a", 1])
    '2657442bb4a48d62'
    """
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def make_safe_name(name: str) -> str:
    """Turn the name of a source into a part of a file name.

    Examples
    --------
    >>> make_safe_name("ward 3: cells/new")
    'ward 3_ cells_new'
    """
    return re.sub(r"[^\w .-]", "_", name)[:60]


def read_file_stamps(source: SourceSpec, data_dir: Path, records: Sequence[Record]) -> list[Any]:
    """Read the path, sizes and times of a source's files: they change when the files do."""
    path = resolve_source_path(source, data_dir)
    files = [path / record.file for record in records] if path.is_dir() else [path]
    return [source.path, [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]]


def load_source_groups(
    source: SourceSpec,
    data_dir: Path,
    images: Contents,
    records: list[Record],
    cache_dir: Path,
    on_progress: OnProgress | None = None,
) -> np.ndarray:
    """Find the source cell of each image; copies found from the pixels, which takes minutes, are cached.

    Parameters
    ----------
    source : SourceSpec
        How its source cells are known.
    data_dir : Path
        Folder that the source's path starts from.
    images : Contents
        The open images of the source.
    records : list of Record
        Its N labelled images.
    cache_dir : Path
        Folder of the cache; it must exist.
    on_progress : callable, optional
        Called with (done, total) images.

    Returns
    -------
    ndarray of int64, shape (N,)

    Raises
    ------
    DatasetError
        As `datasets.catalog.open_sources.resolve_source_cells`.
    """
    if source.groups != "pixels":
        return resolve_source_cells(source, data_dir, images, records)
    key = hash_content([read_file_stamps(source, data_dir, records), [record.file for record in records]])
    cached = cache_dir / f"copies-{make_safe_name(source.name)}-{key}.npy"
    if not cached.exists():
        groups = resolve_source_cells(source, data_dir, images, records, on_progress)
        with open_atomic(cached) as stream:
            np.save(stream, groups)
    return np.asarray(np.load(cached, allow_pickle=False))
