"""Exact duplicates: files with identical bytes, and which of them have different labels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from bloodcell.core.errors import DatasetError, StoppedError
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents

COLUMNS: Final = ("file", "label", "sha256")


@dataclass(frozen=True)
class Duplicates:
    """Two or more files with identical bytes, sorted by name.

    Attributes
    ----------
    sha256 : str
        The hash that the files share.
    files : tuple of str
        Paths in the dataset.
    labels : tuple of str
        Label of each file; "" where there is none.
    """

    sha256: str
    files: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def has_conflict(self) -> bool:
        """True if the image has two labels; a missing label contradicts none."""
        return len(set(self.labels) - {""}) > 1


def find_exact_duplicates(table: pd.DataFrame) -> list[Duplicates]:
    """Find exact duplicates.

    Parameters
    ----------
    table : DataFrame
        With the text columns file, label and sha256; rows without a hash are passed over.

    Returns
    -------
    list of Duplicates
        Conflicting labels first, then the most files first, then by the first file's name.

    Raises
    ------
    DatasetError
        If a column is missing.

    Examples
    --------
    >>> rows = [("a.png", "MONOCYTE", "f0"), ("b.png", "MONOCYTE", "77"), ("c.png", "LYMPHOCYTE", "f0")]
    >>> for duplicates in find_exact_duplicates(pd.DataFrame(rows, columns=["file", "label", "sha256"])):
    ...     print(duplicates.files, duplicates.has_conflict)
    ('a.png', 'c.png') True
    """
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise DatasetError(f"A table of files needs the columns {', '.join(COLUMNS)}. Missing: {', '.join(missing)}.")
    hashed = table[table["sha256"].notna() & (table["sha256"] != "")].sort_values("file", kind="stable")
    repeated = hashed[hashed.duplicated("sha256", keep=False)]
    duplicates = [
        Duplicates(str(sha256), tuple(rows["file"]), tuple(rows["label"].fillna("")))
        for sha256, rows in repeated.groupby("sha256", sort=False)
    ]
    return sorted(duplicates, key=lambda group: (not group.has_conflict, -len(group.files), group.files))


def hash_files(
    source: Contents,
    records: Sequence[Record],
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> pd.DataFrame:
    """Hash the bytes of every file, one at a time.

    Parameters
    ----------
    source : Contents
        Where the files are.
    records : sequence of Record
        The files to hash.
    on_progress : callable, optional
        Called with (done, total) after every file.
    should_stop : callable, optional
        Asked before every file.

    Returns
    -------
    DataFrame
        The columns file, label and sha256, in the order of `records`.

    Raises
    ------
    DatasetError
        If a file is gone.
    StoppedError
        If `should_stop` returns True.
    """
    rows = []
    for done, record in enumerate(records, start=1):
        if should_stop is not None and should_stop():
            raise StoppedError(f"Hashing was stopped after {done - 1} of {len(records)} files.")
        rows.append((record.file, record.label, hashlib.sha256(source.read(record.file)).hexdigest()))
        if on_progress is not None:
            on_progress(done, len(records))
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)
