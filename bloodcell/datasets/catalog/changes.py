"""Whether a registered dataset still is what it was: files added, removed or changed since it was looked at."""

import hashlib
import os
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
# Of files that got new dates from a copy or backup: a page asks again and again, and reading thousands takes seconds.
MAX_HASHES: Final = 200_000
_HASH_CACHE: dict[tuple[str, str, int, int], str] = {}


@dataclass(frozen=True)
class DatasetState:
    """What became of a dataset since it was registered or refreshed.

    kind : "unchanged", "changed" or "missing"
    added, removed, changed : files; empty where the dataset is missing
    message : one plain sentence
    """

    kind: str
    message: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def check_dataset_state(dataset: Dataset, reads_bytes: bool = False) -> DatasetState:
    """Compare a dataset's pictures and its table of labels with what they were.

    A file counts as changed if its size or date differs; in a zip, its size or CRC-32. No picture is opened, unless
    `reads_bytes`: then a picture of the same size with another date counts only if its SHA-256 differs too (a folder
    that was copied, or got new dates from a backup). A picture whose bytes were changed while size and date stayed is
    not noticed.

    Parameters
    ----------
    dataset : Dataset
    reads_bytes : bool

    Raises
    ------
    DatasetError
        If the registration itself is damaged.
    """
    before = {row.file: row for row in read_dataset_table(dataset, "stored").itertuples(index=False)}
    try:
        contents = Contents(dataset.path)
    except DatasetError as error:
        return DatasetState(MISSING, f"The images of {dataset.name} are not to be had. {error}")
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
        return DatasetState(UNCHANGED, f"{dataset.name} is as it was.")
    message = (
        f"{dataset.name} has changed since {dataset.scanned_at}: {len(added)} files added, {len(removed)} removed, "
        f"{len(differing)} changed."
    )
    return DatasetState(CHANGED, message, tuple(added), tuple(removed), tuple(sorted(differing)))


def _stat_table(contents: Contents, dataset: Dataset) -> StoredFile | None:
    csv = dataset.choice.table.csv if dataset.choice.table else ""
    if csv in contents.files:
        return contents.files[csv]
    if not csv or not Path(csv).is_absolute():
        return None
    try:
        status = os.stat(csv)
    except OSError:
        return None
    return StoredFile(csv, status.st_size, status.st_mtime_ns)


def _hash_file(contents: Contents, file: StoredFile) -> str:
    """SHA-256 of a file, "" where it cannot be read; read anew only where its size or date is another than last time."""
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
