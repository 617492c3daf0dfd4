"""Recognise how a folder or zip of images is laid out, without opening an image; ask if it is ambiguous."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.datasets.boxes.read_boxes import find_box_format
from bloodcell.datasets.labels.layouts import (
    FOLDERS,
    SUPPORTED_LAYOUTS,
    TABLE,
    LayoutChoice,
    extract_class_folders,
    list_readable_images,
)
from bloodcell.datasets.labels.records import normalise_label
from bloodcell.datasets.labels.tables import TableOption, list_table_options, read_table_labels
from bloodcell.datasets.sources.contents import Contents

# Folders with these names hold kinds of files, not classes of cells.
_NON_CLASS_FOLDERS: Final = frozenset(
    ("image", "images", "imgs", "img", "jpegimages", "pictures", "masks", "mask", "labels", "annotations")
)
_MIN_LEVEL_SHARE: Final = 0.9  # of the images; the rest are listed as problems


@dataclass(frozen=True)
class FolderLevel:
    """The folders at one depth.

    Attributes
    ----------
    level : int
        As in `LayoutChoice`.
    names : tuple of str
        The folders' names, sorted.
    n_images : int
        How many images lie in or below one of them.
    """

    level: int
    names: tuple[str, ...]
    n_images: int


@dataclass(frozen=True)
class Recognition:
    """How a folder or zip may be read.

    Attributes
    ----------
    path : Path
        The folder or zip.
    n_images : int
        Readable images in it, by name.
    choice : LayoutChoice or None
        The only reading that makes sense, or None.
    question : str
        If `choice` is None, what to ask the user.
    levels : tuple of FolderLevel
        All depths of folders, for the user to choose from.
    tables : tuple of TableOption
        All tables of labels, for the user to choose from.
    likely_levels : tuple of FolderLevel
        Those that make sense as labels; may be empty.
    likely_tables : tuple of TableOption
        Those that make sense as labels; may be empty.
    box_format : str
        Format of the boxes that its images have instead of labels, "" for none; `question` then says what to do.
    """

    path: Path
    n_images: int
    choice: LayoutChoice | None
    question: str
    levels: tuple[FolderLevel, ...]
    tables: tuple[TableOption, ...]
    likely_levels: tuple[FolderLevel, ...]
    likely_tables: tuple[TableOption, ...]
    box_format: str = ""

    @property
    def has_boxes(self) -> bool:
        """Whether its images have boxes instead of labels."""
        return bool(self.box_format)


def recognise_layout(path: Path, csv: str | None = None) -> Recognition:
    """Recognise how a folder or zip may be read.

    Parameters
    ----------
    path : Path
        A folder or zip.
    csv : str, optional
        A table of the dataset, or the whole path of one elsewhere, if the user named one.

    Returns
    -------
    Recognition

    Raises
    ------
    DatasetError
        If there is no such folder or zip, it cannot be used, it has no images, or `csv` cannot be read.
    """
    with Contents(path) as contents:
        return recognise_contents(contents, list_readable_images(contents), csv)


def recognise_contents(contents: Contents, image_files: Sequence[str], csv: str | None) -> Recognition:
    """Do the same as `recognise_layout` for an open folder or zip and its readable images."""
    levels = _list_folder_levels(image_files)
    tables = tuple(list_table_options(contents, image_files, csv))
    choice, question = None, ""
    box_format = None if csv is not None else find_box_format(contents)
    by_folder = [level for level in levels if csv is None and _may_be_classes(level, len(image_files))]
    # Beside class folders, CSVs often list sizes or boxes: there a table counts only if a column is named for labels.
    by_table = [table for table in tables if not by_folder or table.n_label_names]
    only_choices = [table.get_only_choice() for table in by_table]
    clear = [LayoutChoice(TABLE, table=table_choice) for table_choice in only_choices if table_choice is not None]
    is_clear = len(clear) == len(by_table)
    as_folders = [LayoutChoice(FOLDERS, level.level) for level in by_folder]
    if by_folder:
        box_format = None
    if box_format is not None:
        question = (
            f"{contents.path.name} has boxes ({box_format}), not one label an image. Cut its cells with `bloodcell cut-cells` "
            "or on the Datasets page, and use what that writes; or evaluate a detector on it."
        )
    elif len(as_folders) == 1 and is_clear and _table_agrees(contents, image_files, as_folders[0], clear):
        choice = as_folders[0]
    elif not by_folder and is_clear and len(clear) == 1:
        choice = clear[0]
    elif by_folder or by_table:
        ways = [*map(_describe_level, by_folder), *map(_describe_table, by_table)]
        question = f"{contents.path.name} can be read in more than one way. Choose one: {'; '.join(ways)}."
    elif levels and csv is None:
        ways = [_describe_level(level) for level in levels]
        question = f"{contents.path.name} has no clear labels. If folders are the labels, choose which: "
        question += f"{'; '.join(ways)}. {SUPPORTED_LAYOUTS}"
    else:
        question = f"{contents.path.name} has no labels for its images ({len(image_files)}). {SUPPORTED_LAYOUTS}"
    return Recognition(
        contents.path,
        len(image_files),
        choice,
        question,
        tuple(levels),
        tables,
        tuple(by_folder),
        tuple(by_table),
        box_format or "",
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
    """Return True if no table gives an image another label than its folder."""
    for choice in by_table:
        labels, _ = read_table_labels(contents, image_files, choice.table) if choice.table else ({}, [])
        for file, (label, _) in labels.items():
            names = extract_class_folders(file)
            if len(names) >= folders.level and normalise_label(names[folders.level - 1]) != normalise_label(label):
                return False
    return True


def _describe_level(level: FolderLevel) -> str:
    more = f" and {len(level.names) - 3} more" if len(level.names) > 3 else ""
    return f"folders at level {level.level} ({', '.join(level.names[:3])}{more})"


def _describe_table(table: TableOption) -> str:
    files = " or ".join(table.file_columns) or "none"
    words = f"table {table.csv} (file column {files}, label column {' or '.join(table.label_columns) or 'none'}"
    return f"{words}, suffix {' or '.join(table.suffixes)})" if table.suffixes else f"{words})"
