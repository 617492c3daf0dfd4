"""Whether a registered dataset has changed: files added, removed or changed since it was scanned."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.catalog.library import read_images_table
from bloodcell.datasets.catalog.registration import Dataset, read_dataset_table
from bloodcell.datasets.labels.layouts import list_image_files
from bloodcell.datasets.sources.contents import Contents, StoredFile

UNCHANGED: Final = "unchanged"
CHANGED: Final = "changed"
MISSING: Final = "missing"
# Hashes of files that got new dates from a copy or backup: a page asks often, and reading thousands takes seconds.
MAX_HASHES: Final = 200_000
_HASH_CACHE: dict[tuple[str, str, int, int], str] = {}


@dataclass(frozen=True)
class DatasetState:
    """What has happened to a dataset since it was last scanned.

    Attributes
    ----------
    kind : str
        `UNCHANGED`, `CHANGED` or `MISSING`.
    added, removed, changed : tuple of str, default ()
        Files; empty if the dataset is missing.
    message : str
        One plain sentence.
    """

    kind: str
    message: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def check_dataset_state(dataset: Dataset, reads_bytes: bool = False) -> DatasetState:
    """Compare a dataset's images and its table of labels with those of its last scan.

    A file counts as changed if its size or date differs; in a zip, its size or CRC-32. An image whose bytes were
    changed while its size and date stayed the same is not noticed.

    Parameters
    ----------
    dataset : Dataset
    reads_bytes : bool, default False
        Read images of the same size with another date, and count them only if their SHA-256 differs too (a folder
        that was copied, or got new dates from a backup). Without it, no image is opened.

    Returns
    -------
    DatasetState

    Raises
    ------
    DatasetError
        If the registration itself is damaged.
    """
    before = {row.file: row for row in read_dataset_table(dataset, "stored").itertuples(index=False)}
    try:
        contents = Contents(dataset.path)
    except DatasetError as error:
        return DatasetState(MISSING, f"The images of {dataset.name} cannot be found. {error}")
    with contents:
        now = {file: contents.files[file] for file in list_image_files(contents)}
        table = _stat_table(contents, dataset)
        if table is not None:
            now[table.file] = table
        differing = [
            file
            for file, stored_file in now.items()
            if file in before and (stored_file.n_bytes, stored_file.stamp) != (before[file].n_bytes, before[file].stamp)
        ]
        if reads_bytes and differing:
            registered_sha256 = dict(read_images_table(dataset)[["file", "sha256"]].itertuples(index=False, name=None))
            differing = [
                file
                for file in differing
                if now[file].n_bytes != before[file].n_bytes
                or _hash_file(contents, now[file]) != registered_sha256.get(file)
            ]
    added, removed = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    if not added and not removed and not differing:
        return DatasetState(UNCHANGED, f"{dataset.name} has not changed.")
    message = (
        f"{dataset.name} has changed since {dataset.scanned_at}. Files added: {len(added)}, removed: {len(removed)}, "
        f"changed: {len(differing)}."
    )
    return DatasetState(CHANGED, message, tuple(added), tuple(removed), tuple(sorted(differing)))


def _stat_table(contents: Contents, dataset: Dataset) -> StoredFile | None:
    csv = dataset.choice.table.csv if dataset.choice.table else ""
    if csv in contents.files:
        return contents.files[csv]
    if not csv or not Path(csv).is_absolute():
        return None
    try:
        status = Path(csv).stat()
    except OSError:
        return None
    return StoredFile(csv, status.st_size, status.st_mtime_ns)


def _hash_file(contents: Contents, file: StoredFile) -> str:
    """Return a file's SHA-256, "" if it cannot be read; reads again only if its size or date differs from last time."""
    key = (str(contents.path), file.file, file.n_bytes, file.stamp)
    if key not in _HASH_CACHE:
        try:
            file_sha256 = hashlib.sha256(contents.read(file.file)).hexdigest()
        except DatasetError:
            return ""
        if len(_HASH_CACHE) >= MAX_HASHES:
            _HASH_CACHE.clear()
        _HASH_CACHE[key] = file_sha256
    return _HASH_CACHE[key]
