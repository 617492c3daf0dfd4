"""The layouts of labelled images that are understood, and the words in which they are described.

Understood are a folder per class, such folders below train and test folders, images with a table of labels (CSV), and
a zip of any of them. Where more than one reading makes sense the user is asked, by `recognition` and a `LayoutChoice`.

Labels are kept as written, blanks around them taken off. Classes are compared without regard to capitals: Neutrophil
and NEUTROPHIL are one class, called by the spelling that most images have, and a problem says so.
"""

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.tables import TableChoice
from bloodcell.datasets.sources.contents import Contents, Problem, StoredFile
from bloodcell.datasets.sources.uploads import IMAGE_SUFFIXES, UNSUPPORTED_IMAGE_SUFFIXES, natural_key

FOLDERS: Final = "folders"
TABLE: Final = "table"
LAYOUTS: Final = (FOLDERS, TABLE)
SUPPORTED_LAYOUTS: Final = (
    "Understood are: a folder per class; train and test folders with a folder per class; images with a CSV that has a "
    "column of file names and a column of labels; a zip of any of these."
)

_SPLIT_FOLDER: Final = re.compile(
    r"(train|training|test|testing|val|valid|validation|holdout)([ _-]?(simple|set|data|images?|[0-9]+))?", re.I
)


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
    images: tuple[Record, ...]
    problems: tuple[Problem, ...]
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    stored: tuple[StoredFile, ...]
    n_other_files: int


def extract_split(file: str) -> str:
    """The train or test folders of a path as written, "" if there are none; two of them are joined by `/`."""
    return "/".join(name for name in file.split("/")[:-1] if _SPLIT_FOLDER.fullmatch(name))


def list_image_files(contents: Contents) -> list[str]:
    """Files that are pictures by name, those of kinds that cannot be read included, in no special order."""
    return [file for file in contents.files if get_suffix(file) in IMAGE_SUFFIXES | UNSUPPORTED_IMAGE_SUFFIXES]


def list_readable_images(contents: Contents) -> list[str]:
    """Files that are readable pictures by name, in natural order; DatasetError if there are none."""
    files = [file for file in contents.files if get_suffix(file) in IMAGE_SUFFIXES]
    if not files:
        problems = "; ".join(f"{problem.file}: {problem.reason}" for problem in contents.problems[:3])
        raise DatasetError(
            f"{contents.path} holds no pictures (JPEG, PNG, BMP or TIFF). {problems or SUPPORTED_LAYOUTS}"
        )
    return sorted(files, key=natural_key)


def extract_class_folders(file: str) -> list[str]:
    """The folders of a path without train and test folders; level 1 of `LayoutChoice` is the first."""
    return [name for name in file.split("/")[:-1] if not _SPLIT_FOLDER.fullmatch(name)]


def get_suffix(file: str) -> str:
    """Such as ".png", in small letters."""
    return os.path.splitext(file)[1].lower()


def normalise_label(label: str) -> str:
    """The form in which labels are compared."""
    return unicodedata.normalize("NFC", label).casefold()
