"""Recognise how a folder or zip of images is laid out, and list its labelled images without opening one.

Understood are a folder per class, such folders below train and test folders, images with a table of labels (CSV), and
a zip of any of them. Where more than one reading makes sense the user is asked, by `recognise` and a `LayoutChoice`.

Labels are kept as written, blanks around them taken off. Classes are compared without regard to capitals: Neutrophil
and NEUTROPHIL are one class, called by the spelling that most images have, and a problem says so.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.data.contents import Contents, Problem, StoredFile
from bloodcell.data.intake import FOREIGN_PICTURE, FOREIGN_PICTURE_SUFFIXES, PICTURE_SUFFIXES, ZIP_SUFFIX, natural_key
from bloodcell.data.label_tables import TableChoice, TableOption, table_labels, table_options
from bloodcell.errors import DatasetError

FOLDERS: Final = "folders"
TABLE: Final = "table"
LAYOUTS: Final = (FOLDERS, TABLE)
UNDERSTOOD: Final = (
    "Understood are: a folder per class; train and test folders with a folder per class; images with a CSV that has a "
    "column of file names and a column of labels; a zip of any of these."
)

_SPLIT: Final = re.compile(
    r"(train|training|test|testing|val|valid|validation|holdout)([ _-]?(simple|set|data|images?|[0-9]+))?", re.I
)
# Folders called so hold kinds of files, not classes of cells.
_NO_CLASSES: Final = frozenset(
    ("image", "images", "imgs", "img", "jpegimages", "pictures", "masks", "mask", "labels", "annotations")
)
_LEVEL_SHARE: Final = 0.9  # of the pictures; the others are listed as problems
_NESTED_ZIP: Final = "A zip inside a folder or zip is not opened; register it as a dataset of its own."


@dataclass(frozen=True)
class ListedImage:
    """One labelled image: its path in the dataset, with `/`, its label, and train, test... as written, or ""."""

    file: str
    label: str
    split: str = ""


@dataclass(frozen=True)
class LayoutChoice:
    """How to read a dataset.

    layout : "folders" or "table"
    level : for "folders", which of the folders of a path is the class, from 1, train and test folders not counted
    table : for "table"
    """

    layout: str
    level: int = 0
    table: TableChoice | None = None


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
    """

    path: Path
    n_images: int
    choice: LayoutChoice | None
    question: str
    levels: tuple[FolderLevel, ...]
    tables: tuple[TableOption, ...]


@dataclass(frozen=True)
class Listing:
    """The labelled images of a dataset.

    choice : how it was read
    images : in natural order of their files
    problems : images and rows that give no labelled image or a doubtful one; `Problem.file` may be ""
    class_names : sorted
    splits : sorted, "" left out
    stored : every file that the listing rests on, pictures with problems and the table included
    n_other_files : files that are no pictures by name, and were not looked at
    """

    path: Path
    is_zip: bool
    choice: LayoutChoice
    images: tuple[ListedImage, ...]
    problems: tuple[Problem, ...]
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    stored: tuple[StoredFile, ...]
    n_other_files: int


def recognise(path: Path, csv: str | None = None) -> Recognition:
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
        return _recognise(contents, _pictures(contents), csv)


def list_images(path: Path, choice: LayoutChoice | None = None) -> Listing:
    """List the labelled images of a folder or zip; no image is opened.

    Parameters
    ----------
    path : Path of a folder or zip
    choice : how to read it; None if there is one way only

    Raises
    ------
    DatasetError
        As `recognise`; or there are several ways to read it and none is chosen, or none at all; or what is chosen is
        not there or gives no labelled image.
    """
    with Contents(path) as contents:
        pictures = _pictures(contents)
        if choice is None:
            recognition = _recognise(contents, pictures, None)
            if recognition.choice is None:
                raise DatasetError(recognition.question)
            choice = recognition.choice
        return _list(contents, pictures, choice)


def split_of(file: str) -> str:
    """The train or test folders of a path as written, "" if there are none; two of them are joined by `/`."""
    return "/".join(name for name in file.split("/")[:-1] if _SPLIT.fullmatch(name))


def picture_files(contents: Contents) -> list[str]:
    """Files that are pictures by name, those of kinds that cannot be read included, in no special order."""
    return [file for file in contents.files if _suffix(file) in PICTURE_SUFFIXES | FOREIGN_PICTURE_SUFFIXES]


def _pictures(contents: Contents) -> list[str]:
    """Files that are readable pictures by name, in natural order; DatasetError if there are none."""
    found = [file for file in contents.files if _suffix(file) in PICTURE_SUFFIXES]
    if not found:
        problems = "; ".join(f"{problem.file}: {problem.reason}" for problem in contents.problems[:3])
        raise DatasetError(f"{contents.path} holds no pictures (JPEG, PNG, BMP or TIFF). {problems or UNDERSTOOD}")
    return sorted(found, key=natural_key)


def _recognise(contents: Contents, pictures: Sequence[str], csv: str | None) -> Recognition:
    levels = _folder_levels(pictures)
    tables = tuple(table_options(contents, pictures, csv))
    choice, question = None, ""
    if csv is None:
        by_folder = [LayoutChoice(FOLDERS, level.level) for level in levels if _may_be_classes(level, len(pictures))]
    else:
        by_folder = []
    # Beside class folders many a CSV lists sizes or boxes: there it counts only if it speaks of labels.
    clear = [(table, table.only_choice()) for table in tables if not by_folder or table.n_label_names]
    by_table = [LayoutChoice(TABLE, table=chosen) for _, chosen in clear if chosen is not None]
    unclear = [table for table, chosen in clear if chosen is None]
    if len(by_folder) == 1 and not unclear and _table_agrees(contents, pictures, by_folder[0], by_table):
        choice = by_folder[0]
    elif not by_folder and not unclear and len(by_table) == 1:
        choice = by_table[0]
    elif by_folder or clear:
        ways = [_folder_words(level) for level in levels for one in by_folder if one.level == level.level]
        ways += [_table_words(table) for table, _ in clear]
        question = f"{contents.path.name} can be read in more than one way; choose one: {'; '.join(ways)}."
    elif levels and csv is None:
        ways = [_folder_words(level) for level in levels]
        question = f"{contents.path.name} shows no clear labels. If they are the folders, choose which: "
        question += f"{'; '.join(ways)}. {UNDERSTOOD}"
    else:
        question = f"{contents.path.name} holds {len(pictures)} pictures without labels. {UNDERSTOOD}"
    return Recognition(contents.path, len(pictures), choice, question, tuple(levels), tables)


def _class_folders(file: str) -> list[str]:
    return [name for name in file.split("/")[:-1] if not _SPLIT.fullmatch(name)]


def _folder_levels(pictures: Sequence[str]) -> list[FolderLevel]:
    counts: list[Counter[str]] = []
    for file in pictures:
        for depth, name in enumerate(_class_folders(file)):
            if depth == len(counts):
                counts.append(Counter())
            counts[depth][name] += 1
    return [FolderLevel(depth, tuple(sorted(names)), names.total()) for depth, names in enumerate(counts, start=1)]


def _may_be_classes(level: FolderLevel, n_pictures: int) -> bool:
    is_complete = level.n_images >= _LEVEL_SHARE * n_pictures
    return is_complete and len(level.names) > 1 and not any(name.lower() in _NO_CLASSES for name in level.names)


def _table_agrees(
    contents: Contents, pictures: Sequence[str], folders: LayoutChoice, by_table: Sequence[LayoutChoice]
) -> bool:
    """True if no table gives an image another label than its folder."""
    for one in by_table:
        labels, _ = table_labels(contents, pictures, one.table) if one.table else ({}, [])
        for file, (label, _) in labels.items():
            names = _class_folders(file)
            if len(names) >= folders.level and _folded(names[folders.level - 1]) != _folded(label):
                return False
    return True


def _list(contents: Contents, pictures: Sequence[str], choice: LayoutChoice) -> Listing:
    problems = list(contents.problems)
    if choice.layout == TABLE and choice.table is not None:
        suffix = choice.table.suffix.lower()
        pictures = [file for file in pictures if file.lower().endswith(suffix)]
        labels, found = table_labels(contents, pictures, choice.table)
        images = [ListedImage(f, labels[f][0], labels[f][1] or split_of(f)) for f in pictures if f in labels]
        problems += found
    elif choice.layout == FOLDERS and choice.level >= 1:
        images = []
        for file in pictures:
            names = _class_folders(file)
            label = names[choice.level - 1].strip() if len(names) >= choice.level else ""
            if label:
                images.append(ListedImage(file, label, split_of(file)))
            else:
                problems.append(Problem(file, "It lies in no class folder."))
    else:
        raise DatasetError(f"A layout must be folders with a level from 1, or a table. Received: {choice}.")
    images, spellings = _one_spelling(images)
    if not images:
        first = "; ".join(problem.reason for problem in problems[:2])
        raise DatasetError(f"{contents.path.name} gives no labelled image that way. {first}")
    problems += [*spellings, *_foreign_files(contents)]
    csv_name = choice.table.csv if choice.table else ""
    stored = [contents.files[file] for file in sorted(picture_files(contents))]
    stored += _stored_table(contents, csv_name)
    n_other = len(contents.files) - len(stored) + (csv_name not in contents.files and csv_name != "")
    return Listing(
        path=contents.path,
        is_zip=contents.is_zip,
        choice=choice,
        images=tuple(images),
        problems=tuple(problems),
        class_names=tuple(sorted({image.label for image in images})),
        splits=tuple(sorted({image.split for image in images} - {""})),
        stored=tuple(stored),
        n_other_files=n_other,
    )


def _stored_table(contents: Contents, csv_name: str) -> list[StoredFile]:
    if not csv_name or csv_name in contents.files:
        return [contents.files[csv_name]] if csv_name else []
    status = Path(csv_name).stat()
    return [StoredFile(csv_name, status.st_size, status.st_mtime_ns)]


def _one_spelling(images: Sequence[ListedImage]) -> tuple[list[ListedImage], list[Problem]]:
    """Call each class by its most frequent spelling; of equally frequent ones, by the first in sorted order."""
    spellings: dict[str, Counter[str]] = {}
    for image in images:
        spellings.setdefault(_folded(image.label), Counter())[image.label] += 1
    chosen = {key: min(found, key=lambda label: (-found[label], label)) for key, found in spellings.items()}
    problems = [
        Problem("", f"{' and '.join(map(repr, sorted(found)))} are taken as one class, {chosen[key]!r}.")
        for key, found in sorted(spellings.items())
        if len(found) > 1
    ]
    return [ListedImage(image.file, chosen[_folded(image.label)], image.split) for image in images], problems


def _foreign_files(contents: Contents) -> list[Problem]:
    foreign = sorted(file for file in contents.files if _suffix(file) in FOREIGN_PICTURE_SUFFIXES)
    zips = sorted(file for file in contents.files if _suffix(file) == ZIP_SUFFIX)
    return [Problem(file, FOREIGN_PICTURE) for file in foreign] + [Problem(file, _NESTED_ZIP) for file in zips]


def _suffix(file: str) -> str:
    return os.path.splitext(file)[1].lower()


def _folded(label: str) -> str:
    return unicodedata.normalize("NFC", label).casefold()


def _folder_words(level: FolderLevel) -> str:
    more = f" and {len(level.names) - 3} more" if len(level.names) > 3 else ""
    return f"folders of level {level.level} ({', '.join(level.names[:3])}{more})"


def _table_words(table: TableOption) -> str:
    files = " or ".join(table.file_columns) or "none that fits"
    words = f"table {table.csv} (file column {files}, label column {' or '.join(table.label_columns) or 'none'}"
    return f"{words}, ending {' or '.join(table.suffixes)})" if table.suffixes else f"{words})"
