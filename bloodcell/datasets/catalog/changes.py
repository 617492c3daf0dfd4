"""Whether a registered dataset still is what it was: files added, removed or changed since it was looked at."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.catalog.library import images_table
from bloodcell.datasets.catalog.registration import Dataset, read_kept
from bloodcell.datasets.labels.layouts import picture_files
from bloodcell.datasets.sources.contents import Contents, StoredFile

UNCHANGED: Final = "unchanged"
CHANGED: Final = "changed"
MISSING: Final = "missing"
# Of files that got new dates from a copy or backup: a page asks again and again, and reading thousands takes seconds.
MOST_HASHES: Final = 200_000
_KNOWN_HASHES: dict[tuple[str, str, int, int], str] = {}


@dataclass(frozen=True)
class State:
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


def dataset_state(dataset: Dataset, reads_bytes: bool = False) -> State:
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
    before = {row.file: row for row in read_kept(dataset, "stored").itertuples(index=False)}
    try:
        contents = Contents(dataset.path)
    except DatasetError as error:
        return State(MISSING, f"The images of {dataset.name} are not to be had. {error}")
    with contents:
        now = {file: contents.files[file] for file in picture_files(contents)}
        table = _table_now(contents, dataset)
        if table is not None:
            now[table.file] = table
        differing = [
            file
            for file, one in now.items()
            if file in before and (one.n_bytes, one.stamp) != (before[file].n_bytes, before[file].stamp)
        ]
        if reads_bytes and differing:
            known = dict(images_table(dataset)[["file", "sha256"]].itertuples(index=False, name=None))
            differing = [
                file
                for file in differing
                if now[file].n_bytes != before[file].n_bytes or _sha256(contents, now[file]) != known.get(file)
            ]
    added, removed = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    if not added and not removed and not differing:
        return State(UNCHANGED, f"{dataset.name} is as it was.")
    message = (
        f"{dataset.name} has changed since {dataset.scanned_at}: {len(added)} files added, {len(removed)} removed, "
        f"{len(differing)} changed."
    )
    return State(CHANGED, message, tuple(added), tuple(removed), tuple(sorted(differing)))


def _table_now(contents: Contents, dataset: Dataset) -> StoredFile | None:
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


def _sha256(contents: Contents, file: StoredFile) -> str:
    """SHA-256 of a file, "" where it cannot be read; read anew only where its size or date is another than last time."""
    key = (str(contents.path), file.file, file.n_bytes, file.stamp)
    if key not in _KNOWN_HASHES:
        try:
            found = hashlib.sha256(contents.read(file.file)).hexdigest()
        except DatasetError:
            return ""
        if len(_KNOWN_HASHES) >= MOST_HASHES:
            _KNOWN_HASHES.clear()
        _KNOWN_HASHES[key] = found
    return _KNOWN_HASHES[key]
