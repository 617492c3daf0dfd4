"""Source cells and splits of a registered dataset, stored beside its registration."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from bloodcell.core.errors import DatasetError, StoreError
from bloodcell.core.io import write_atomic
from bloodcell.datasets.catalog.registration import Dataset
from bloodcell.datasets.copies.known_groups import encode_groups_csv, read_groups
from bloodcell.datasets.splits.split import Split
from bloodcell.datasets.splits.split_file import encode_split_csv

_GROUPS: Final = "groups.csv"
_GROUPS_ABOUT: Final = "groups.json"
_SPLITS: Final = "splits"
MAX_SPLIT_NAME_CHARS: Final = 80


@dataclass(frozen=True)
class StoredGroups:
    """Groups of a dataset.

    Attributes
    ----------
    group_of : dict of str to str
        File -> group.
    method : str
        How they were found, in plain words.
    is_current : bool
        False if the dataset's images have changed since.
    """

    group_of: dict[str, str]
    method: str
    is_current: bool

    def sizes(self) -> pd.Series:
        """Images of each group, largest first."""
        return pd.Series(self.group_of, dtype=str).value_counts()


def store_groups(dataset: Dataset, group_of: Mapping[str, str], method: str) -> None:
    """Store the groups of a dataset in place of earlier ones; StoreError if the workspace cannot be written to."""
    about = {"how": method, "fingerprint": dataset.fingerprint}
    _write(dataset.folder / _GROUPS, encode_groups_csv(group_of))
    _write(dataset.folder / _GROUPS_ABOUT, json.dumps(about).encode())


def read_stored_groups(dataset: Dataset) -> StoredGroups | None:
    """Read the groups that were stored last; None if there are none, DatasetError if they are damaged."""
    if not (dataset.folder / _GROUPS_ABOUT).is_file():
        return None
    try:
        about = json.loads((dataset.folder / _GROUPS_ABOUT).read_text(encoding="utf-8"))
        method, fingerprint = str(about["how"]), about["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"The stored groups of {dataset.name} are damaged; find its copies again.") from error
    return StoredGroups(read_groups(dataset.folder / _GROUPS), method, fingerprint == dataset.fingerprint)


def store_split(dataset: Dataset, name: str, split: Split) -> Path:
    """Store a split under a name, in place of an earlier one of that name.

    Parameters
    ----------
    dataset : Dataset
    name : str
        At least one letter or digit, up to `MAX_SPLIT_NAME_CHARS` characters.
    split : Split

    Returns
    -------
    Path
        Its file, named after the letters and digits of `name`.

    Raises
    ------
    DatasetError
        If the name is blank or too long.
    StoreError
        If the workspace cannot be written to.
    """
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    if not slug or len(name) > MAX_SPLIT_NAME_CHARS:
        raise DatasetError(
            f"The name of a split must have 1 to {MAX_SPLIT_NAME_CHARS} characters with at least one letter or digit. "
            f"Received: {name[:100]!r}."
        )
    file = dataset.folder / _SPLITS / f"{slug}.csv"
    _write(file, encode_split_csv(split))
    return file


def list_stored_splits(dataset: Dataset) -> dict[str, Path]:
    """List the stored splits of a dataset: name -> file, sorted by name."""
    return {file.stem: file for file in sorted((dataset.folder / _SPLITS).glob("*.csv"))}


def remove_split(file: Path) -> None:
    """Delete a stored split; nothing happens if it is gone."""
    file.unlink(missing_ok=True)


def _write(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(exist_ok=True)
        write_atomic(file, data)
    except OSError as error:
        raise StoreError(f"The workspace {file.parent} cannot be written to: {error.strerror}.") from error
