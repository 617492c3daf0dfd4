"""Recognise how a folder or zip of images is laid out, without opening an image; ask where it could mean two things."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.datasets.labels.layouts import (
    FOLDERS,
    SUPPORTED_LAYOUTS,
    TABLE,
    LayoutChoice,
    extract_class_folders,
    list_readable_images,
    normalise_label,
)
from bloodcell.datasets.labels.tables import TableOption, list_table_options, read_table_labels
from bloodcell.datasets.sources.contents import Contents

# Folders called so hold kinds of files, not classes of cells.
_NON_CLASS_FOLDERS: Final = frozenset(
    ("image", "images", "imgs", "img", "jpegimages", "pictures", "masks", "mask", "labels", "annotations")
)
_MIN_LEVEL_SHARE: Final = 0.9  # of the pictures; the others are listed as problems


@dataclass(frozen=True)
class FolderLevel:
    """The folders at one depth: `level` as in `LayoutChoice`, their names, and how many images lie in or below one."""

    level: int
    names: tuple[str, ...]
    n_images: int


@dataclass(frozen=True)
class Recognition:
    """What a folder or zip may be.

    choice : the one reading that makes sense, or None
    question : where `choice` is None, what to tell the user: one plain text
    levels : all depths of folders, for the user to choose from
    tables : likewise the tables of labels
    likely_levels, likely_tables : those of them that make sense as labels; both empty where nothing says what they are
    """

    path: Path
    n_images: int
    choice: LayoutChoice | None
    question: str
    levels: tuple[FolderLevel, ...]
    tables: tuple[TableOption, ...]
    likely_levels: tuple[FolderLevel, ...]
    likely_tables: tuple[TableOption, ...]


def recognise_layout(path: Path, csv: str | None = None) -> Recognition:
    """Say what a folder or zip may be.

    Parameters
    ----------
    path : Path of a folder or zip
    csv : a table of the dataset, or the whole path of one elsewhere, if the user named one

    Raises
    ------
    DatasetError
        If there is no folder or zip, it cannot be used, holds no pictures, or `csv` cannot be read.
    """
    with Contents(path) as contents:
        return recognise_contents(contents, list_readable_images(contents), csv)


def recognise_contents(contents: Contents, image_files: Sequence[str], csv: str | None) -> Recognition:
    """`recognise_layout` for an opened folder or zip and its readable pictures."""
    levels = _list_folder_levels(image_files)
    tables = tuple(list_table_options(contents, image_files, csv))
    choice, question = None, ""
    by_folder = [level for level in levels if csv is None and _may_be_classes(level, len(image_files))]
    # Beside class folders many a CSV lists sizes or boxes: there it counts only if it speaks of labels.
    by_table = [table for table in tables if not by_folder or table.n_label_names]
    chosen = [table.get_only_choice() for table in by_table]
    clear = [LayoutChoice(TABLE, table=one) for one in chosen if one is not None]
    is_clear = len(clear) == len(by_table)
    as_folders = [LayoutChoice(FOLDERS, level.level) for level in by_folder]
    if len(as_folders) == 1 and is_clear and _table_agrees(contents, image_files, as_folders[0], clear):
        choice = as_folders[0]
    elif not by_folder and is_clear and len(clear) == 1:
        choice = clear[0]
    elif by_folder or by_table:
        ways = [*map(_describe_level, by_folder), *map(_describe_table, by_table)]
        question = f"{contents.path.name} can be read in more than one way; choose one: {'; '.join(ways)}."
    elif levels and csv is None:
        ways = [_describe_level(level) for level in levels]
        question = f"{contents.path.name} shows no clear labels. If they are the folders, choose which: "
        question += f"{'; '.join(ways)}. {SUPPORTED_LAYOUTS}"
    else:
        question = f"{contents.path.name} holds {len(image_files)} pictures without labels. {SUPPORTED_LAYOUTS}"
    return Recognition(
        contents.path, len(image_files), choice, question, tuple(levels), tables, tuple(by_folder), tuple(by_table)
    )


def _list_folder_levels(image_files: Sequence[str]) -> list[FolderLevel]:
    counts: list[Counter[str]] = []
    for file in image_files:
        for depth, name in enumerate(extract_class_folders(file)):
            if depth == len(counts):
                counts.append(Counter())
            counts[depth][name] += 1
    return [FolderLevel(depth, tuple(sorted(names)), names.total()) for depth, names in enumerate(counts, start=1)]


def _may_be_classes(level: FolderLevel, n_images: int) -> bool:
    is_complete = level.n_images >= _MIN_LEVEL_SHARE * n_images
    return is_complete and len(level.names) > 1 and not any(name.lower() in _NON_CLASS_FOLDERS for name in level.names)


def _table_agrees(
    contents: Contents, image_files: Sequence[str], folders: LayoutChoice, by_table: Sequence[LayoutChoice]
) -> bool:
    """True if no table gives an image another label than its folder."""
    for one in by_table:
        labels, _ = read_table_labels(contents, image_files, one.table) if one.table else ({}, [])
        for file, (label, _) in labels.items():
            names = extract_class_folders(file)
            if len(names) >= folders.level and normalise_label(names[folders.level - 1]) != normalise_label(label):
                return False
    return True


def _describe_level(level: FolderLevel) -> str:
    more = f" and {len(level.names) - 3} more" if len(level.names) > 3 else ""
    return f"folders of level {level.level} ({', '.join(level.names[:3])}{more})"


def _describe_table(table: TableOption) -> str:
    files = " or ".join(table.file_columns) or "none that fits"
    words = f"table {table.csv} (file column {files}, label column {' or '.join(table.label_columns) or 'none'}"
    return f"{words}, ending {' or '.join(table.suffixes)})" if table.suffixes else f"{words})"
