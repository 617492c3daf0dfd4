"""Files with the same bytes: which there are, and which of them are labelled differently."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bloodcell.core.errors import DatasetError, StoppedError
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents

COLUMNS = ("file", "label", "sha256")


@dataclass(frozen=True)
class Duplicates:
    """Two or more files with the same bytes, sorted by name.

    Attributes
    ----------
    sha256 : str
    files : tuple of str
    labels : tuple of str, one a file; "" where there is none
    """

    sha256: str
    files: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def has_conflict(self) -> bool:
        """True if the same picture has two labels; a missing label contradicts none."""
        return len(set(self.labels) - {""}) > 1


def find_exact_duplicates(table: pd.DataFrame) -> list[Duplicates]:
    """Find files with the same bytes.

    Parameters
    ----------
    table : DataFrame with the columns file, label and sha256, all of text; rows without a hash are passed over

    Returns
    -------
    list of Duplicates
        Those with conflicting labels first, then those of most files, then by the first file's name.

    Raises
    ------
    DatasetError
        If a column is missing.
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

    Returns
    -------
    DataFrame with the columns file, label and sha256, in the order of `records`

    Raises
    ------
    DatasetError
        If a file is gone.
    StoppedError
        If `should_stop` says so.
    """
    rows = []
    for done, record in enumerate(records, start=1):
        if should_stop is not None and should_stop():
            raise StoppedError(f"Stopped after {done - 1} of {len(records)} files were hashed.")
        rows.append((record.file, record.label, hashlib.sha256(source.read(record.file)).hexdigest()))
        if on_progress is not None:
            on_progress(done, len(records))
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)
