"""The supported layouts of labelled images.

Supported are a folder per class, such folders inside train and test folders, images with a table of labels (CSV), and a
zip of any of these. If a folder or zip can be read in several ways, the user chooses (`recognition`, `LayoutChoice`).

Labels stay as written, without blanks around them. Classes are compared without regard to case: Neutrophil and
NEUTROPHIL are one class, named by the spelling that most images have, and a problem says so.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.labels.tables import TableChoice
from bloodcell.datasets.sources.contents import Contents, Problem, StoredFile
from bloodcell.datasets.sources.uploads import IMAGE_SUFFIXES, UNSUPPORTED_IMAGE_SUFFIXES, get_suffix, natural_key

FOLDERS: Final = "folders"
TABLE: Final = "table"
LAYOUTS: Final = (FOLDERS, TABLE)
SUPPORTED_LAYOUTS: Final = (
    "Supported layouts: a folder per class; train and test folders with a folder per class; images with a CSV that "
    "has a column of file names and a column of labels; a zip of any of these."
)

_SPLIT_FOLDER: Final = re.compile(
    r"(train|training|test|testing|val|valid|validation|holdout)([ _-]?(simple|set|data|images?|[0-9]+))?", re.I
)


@dataclass(frozen=True)
class LayoutChoice:
    """How to read a dataset.

    Attributes
    ----------
    layout : str
        "folders" or "table".
    level : int, default 0
        For "folders": which folder of a path is the class, counted from 1 without train and test folders.
    table : TableChoice, optional
        For "table": how to read the table.
    """

    layout: str
    level: int = 0
    table: TableChoice | None = None


@dataclass(frozen=True)
class Listing:
    """The labelled images of a dataset.

    Attributes
    ----------
    path : Path
        The folder or zip.
    is_zip : bool
        Whether it is a zip.
    choice : LayoutChoice
        How it was read.
    images : tuple of Record
        In natural order of their files.
    problems : tuple of Problem
        Images and rows without a clear label; `Problem.file` may be "".
    class_names : tuple of str
        Sorted.
    splits : tuple of str
        Sorted, "" left out.
    stored_files : tuple of StoredFile
        Every file that the listing is based on, including images with problems and the table.
    n_other_files : int
        Files that are not images by name, and were not opened.
    """

    path: Path
    is_zip: bool
    choice: LayoutChoice
    images: tuple[Record, ...]
    problems: tuple[Problem, ...]
    class_names: tuple[str, ...]
    splits: tuple[str, ...]
    stored_files: tuple[StoredFile, ...]
    n_other_files: int


def extract_split(file: str) -> str:
    """Extract the train or test folders of a path as written, joined by `/`; "" if there are none.

    Examples
    --------
    >>> extract_split("TRAIN/EOSINOPHIL/1.jpg"), extract_split("EOSINOPHIL/1.jpg")
    ('TRAIN', '')
    """
    return "/".join(name for name in file.split("/")[:-1] if _SPLIT_FOLDER.fullmatch(name))


def list_image_files(contents: Contents) -> list[str]:
    """List the files that are images by name, including formats that cannot be read, in no special order."""
    return [file for file in contents.files if get_suffix(file) in IMAGE_SUFFIXES | UNSUPPORTED_IMAGE_SUFFIXES]


def list_readable_images(contents: Contents) -> list[str]:
    """List the files that are readable images by name, in natural order; DatasetError if there are none."""
    files = [file for file in contents.files if get_suffix(file) in IMAGE_SUFFIXES]
    if not files:
        problems = "; ".join(f"{problem.file}: {problem.reason}" for problem in contents.problems[:3])
        raise DatasetError(
            f"There are no images (JPEG, PNG, BMP or TIFF) in {contents.path}. {problems or SUPPORTED_LAYOUTS}"
        )
    return sorted(files, key=natural_key)


def extract_class_folders(file: str) -> list[str]:
    """Extract the folders of a path without train and test folders; level 1 of `LayoutChoice` is the first.

    Examples
    --------
    >>> extract_class_folders("TRAIN/EOSINOPHIL/1.jpg")
    ['EOSINOPHIL']
    """
    return [name for name in file.split("/")[:-1] if not _SPLIT_FOLDER.fullmatch(name)]
