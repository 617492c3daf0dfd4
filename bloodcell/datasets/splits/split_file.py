"""A split as a CSV: file, group, label, split; and a fifth column, leaky, in a split whose metrics are too good."""

from pathlib import Path
from typing import Final

import pandas as pd

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import encode_csv, read_csv
from bloodcell.datasets.labels.records import name_files
from bloodcell.datasets.splits.split import Split, find_leaking_groups

HEADER: Final = ("file", "group", "label", "split")
LEAKY: Final = "leaky"  # name of the column, and its value in every row


def encode_split_csv(split: Split) -> bytes:
    """Write a split as CSV, UTF-8 without BOM."""
    rows = split.table[list(HEADER)].itertuples(index=False, name=None)
    if not split.leaky:
        return encode_csv(HEADER, rows, bom=False)
    return encode_csv((*HEADER, LEAKY), ((*row, LEAKY) for row in rows), bom=False)


def read_split(path: Path, leaky: bool = False) -> Split:
    """Read a split, whether Bloodcell wrote it or not.

    Parameters
    ----------
    path : Path
        A CSV with the columns of `HEADER`, and leaky if it is marked as leaky.
    leaky : bool, default False
        Accept a file that has groups in two parts, or no groups, without being marked; the result is marked.

    Returns
    -------
    Split
        Its table sorted by file.

    Raises
    ------
    DatasetError
        If the file cannot be read or is empty, names a file twice or without a part, or leaks without being marked.
    """
    rows = read_csv(path, HEADER)
    if not rows:
        raise DatasetError(f"The split {path.name} must name at least one file. Received: none.")
    table = pd.DataFrame(rows, dtype=str)
    is_marked = LEAKY in table and bool((table[LEAKY] != "").any())
    table = table[list(HEADER)].sort_values("file", kind="stable").reset_index(drop=True)
    twice = table["file"][table["file"].duplicated()]
    if len(twice):
        raise DatasetError(f"{path.name} must name every file once. Named twice: {name_files(list(twice))}.")
    for name in ("file", "split"):
        if (table[name] == "").any():
            raise DatasetError(
                f"{path.name} must give every row a {name}. There is none in the row "
                f"{_describe_first_empty(table, name)}."
            )
    if not (is_marked or leaky):
        leaks = find_leaking_groups(table)
        if leaks:
            raise DatasetError(
                f"{path.name} leaks and is not marked leaky. Groups in more than one part: "
                f"{name_files([repr(group) for group in leaks])}."
            )
        if (table["group"] == "").any():
            raise DatasetError(f"{path.name} has rows without a group, so it may leak, but is not marked leaky.")
    return Split(table, is_marked or leaky)


def _describe_first_empty(table: pd.DataFrame, name: str) -> str:
    row = table[table[name] == ""].iloc[0]
    return repr(", ".join(str(value) for value in row if value))
