"""Groups of images (source cells, patients) as a CSV: file, group."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from bloodcell.core.errors import DatasetError
from bloodcell.core.io import encode_csv, read_csv

HEADER: Final = ("file", "group")


def encode_groups_csv(group_of: Mapping[str, str]) -> bytes:
    """Write file -> group as CSV, UTF-8 without BOM, in the order given."""
    return encode_csv(HEADER, group_of.items(), bom=False)


def read_groups(path: Path) -> dict[str, str]:
    """Read a file of groups.

    Raises
    ------
    DatasetError
        If it cannot be read, lacks a column, or gives one file two groups.
    """
    group_of: dict[str, str] = {}
    for row in read_csv(path, HEADER):
        if group_of.setdefault(row["file"], row["group"]) != row["group"]:
            raise DatasetError(f"{path.name} gives {row['file']} two groups: {group_of[row['file']]}, {row['group']}.")
    return group_of


def read_complete_groups(path: Path, files: Iterable[str]) -> dict[str, str]:
    """Read the groups of these files; DatasetError also if one of them has none."""
    group_of = read_groups(path)
    missing = [file for file in files if not group_of.get(file)]
    if missing:
        others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise DatasetError(f"{path.name} must give every image a group. It gives none for {missing[0]}{others}.")
    return {file: group_of[file] for file in files}
