"""Labelled images of a dataset: which files there are, what each is, and how to read one, from a folder or a zip."""

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bloodcell.data.csv_text import read_csv
from bloodcell.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True)
class Record:
    """One labelled image: its name inside the dataset, with `/`, and its label in capitals."""

    file: str
    label: str


class ImageSource:
    """A folder or zip of images.

    Parameters
    ----------
    path : Path of a folder or of a zip

    Raises
    ------
    DatasetError
        If there is neither, or the zip is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            return
        if not path.is_file():
            raise DatasetError(f"There is no dataset at {path}: give a folder or a zip.")
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DatasetError(f"{path.name} is neither a folder nor a zip that can be opened.") from error

    def files(self) -> list[str]:
        """Names of all files, sorted, with `/` between folders."""
        if self._zip is not None:
            return sorted(name for name in self._zip.namelist() if not name.endswith("/"))
        return sorted(p.relative_to(self.path).as_posix() for p in self.path.rglob("*") if p.is_file())

    def read(self, file: str) -> bytes:
        """Bytes of one file; DatasetError if it is gone."""
        try:
            if self._zip is not None:
                return self._zip.read(file)
            return (self.path / file).read_bytes()
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise DatasetError(f"{file} cannot be read from {self.path}.") from error


def folder_records(source: ImageSource) -> list[Record]:
    """List images whose folder is their label.

    Returns
    -------
    list of Record, sorted by file. Images that lie in no folder, and what macOS puts
        beside images in a zip, are left out.

    Raises
    ------
    DatasetError
        If there is no image in any folder.
    """
    records = [record for record in _images(source) if record.label]
    if not records:
        raise DatasetError(f"{source.path} holds no folder of images: expected one folder per class.")
    return records


def image_records(source: ImageSource) -> list[Record]:
    """List all images as `folder_records` does, also those that lie in no folder, with the label "".

    Raises
    ------
    DatasetError
        If there is no image.
    """
    records = _images(source)
    if not records:
        raise DatasetError(f"{source.path} holds no image (by name: {', '.join(sorted(IMAGE_SUFFIXES))}).")
    return records


def _images(source: ImageSource) -> list[Record]:
    records = []
    for file in source.files():
        path = PurePosixPath(file)
        is_litter = any(part == "__MACOSX" or part.startswith("._") for part in path.parts)
        if path.suffix.lower() in IMAGE_SUFFIXES and not is_litter:
            records.append(Record(file, path.parent.name.upper()))
    return records


def csv_records(
    source: ImageSource,
    table: str,
    id_column: str,
    label_column: str,
    file_pattern: str,
    labels: dict[str, str] | None = None,
) -> list[Record]:
    """List the images that a CSV of labels names.

    Parameters
    ----------
    table : name of the CSV inside the source
    id_column, label_column : its columns
    file_pattern : file of a row, as in "images/{id:0>3}.bmp"
    labels : label in the table -> label to use

    Raises
    ------
    DatasetError
        If the table, a column or a file is missing.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(source.read(table).decode("utf-8-sig")), restval=""))
    except UnicodeDecodeError as error:
        raise DatasetError(f"{table} must be text in UTF-8.") from error
    if not rows or id_column not in rows[0] or label_column not in rows[0]:
        found = list(rows[0]) if rows else []
        raise DatasetError(f"{table} must have the columns {id_column!r} and {label_column!r}. Found: {found}.")
    present = set(source.files())
    records = []
    for row in rows:
        file = file_pattern.format(id=row[id_column].strip())
        if file not in present:
            raise DatasetError(f"{table} names {file}, which is not in {source.path.name}.")
        label = row[label_column].strip()
        records.append(Record(file, (labels or {}).get(label, label).upper()))
    return records


def read_groups(path: Path) -> dict[str, str]:
    """Read a file of source cells (columns file, group).

    Raises
    ------
    DatasetError
        If it cannot be read, lacks a column, or gives one file two groups.
    """
    group_of: dict[str, str] = {}
    for row in read_csv(path, ("file", "group")):
        if group_of.setdefault(row["file"], row["group"]) != row["group"]:
            raise DatasetError(f"{path.name} gives {row['file']} two groups: {group_of[row['file']]}, {row['group']}.")
    return group_of
