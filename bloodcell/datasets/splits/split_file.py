"""A split as a CSV: file, group, label, split; and a fifth column, leaky, in a split whose figures are not honest."""

from pathlib import Path
from typing import Final

import pandas as pd

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import encode_csv, read_csv
from bloodcell.datasets.splits.split import Split, find_leaking_groups

HEADER: Final = ("file", "group", "label", "split")
LEAKY: Final = "leaky"  # name of the column, and its word in every row


def encode_split_csv(split: Split) -> bytes:
    """Write a split as CSV, UTF-8 without BOM."""
    rows = split.table[list(HEADER)].itertuples(index=False, name=None)
    if not split.leaky:
        return encode_csv(HEADER, rows, bom=False)
    return encode_csv((*HEADER, LEAKY), ((*row, LEAKY) for row in rows), bom=False)


def read_split(path: Path, leaky: bool = False) -> Split:
    """Read a split, made here or elsewhere.

    Parameters
    ----------
    path : Path of a CSV with the columns of `HEADER`, and leaky where it is marked so
    leaky : True to take a file that has groups in two parts, or no groups, without being marked; the result is

    Returns
    -------
    Split, its table sorted by file

    Raises
    ------
    DatasetError
        If the file cannot be read or is empty, names a file twice or without a part, or leaks without being marked.
    """
    rows = read_csv(path, HEADER)
    if not rows:
        raise DatasetError(f"The split {path.name} holds no file.")
    table = pd.DataFrame(rows, dtype=str)
    is_marked = LEAKY in table and bool((table[LEAKY] != "").any())
    table = table[list(HEADER)].sort_values("file", kind="stable").reset_index(drop=True)
    twice = table["file"][table["file"].duplicated()]
    if len(twice):
        raise DatasetError(f"{path.name} must name every file once. Twice: {twice.iloc[0]}.")
    for name in ("file", "split"):
        if (table[name] == "").any():
            raise DatasetError(
                f"{path.name} must give every row a {name}. There is none in row {_describe_first_empty(table, name)}."
            )
    if not (is_marked or leaky):
        leaks = find_leaking_groups(table)
        if leaks:
            raise DatasetError(
                f"{path.name} leaks: {len(leaks)} groups lie in two parts, {leaks[0]!r} among them, and the file is not"
                " marked leaky."
            )
        if (table["group"] == "").any():
            raise DatasetError(f"{path.name} has rows without a group, so it may leak, and is not marked leaky.")
    return Split(table, is_marked or leaky)


def _describe_first_empty(table: pd.DataFrame, name: str) -> str:
    row = table[table[name] == ""].iloc[0]
    return ", ".join(str(value) for value in row if value) or "with nothing in it"
