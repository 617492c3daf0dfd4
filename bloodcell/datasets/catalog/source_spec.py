"""A labelled dataset as described by a spec, and the images it lists."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, Final, Literal

import numpy as np

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import OnProgress
from bloodcell.core.spec import Spec, require, require_range, require_unique
from bloodcell.datasets.copies.groups import find_source_cells
from bloodcell.datasets.copies.known_groups import read_complete_groups
from bloodcell.datasets.labels.csv_tables import read_table
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.datasets.sources.uploads import IMAGE_SUFFIXES, get_suffix
from bloodcell.imaging.read import read_rgb

DATASET: Final = "dataset"
STORED: Final = "kept"
# Prefix of a regular expression: groups are what its round brackets match in a file's name, such as the patient.
BY_NAME = "name:"
Layout = Literal["folders", "csv", "dataset"]
Unlisted = Literal["unknown", "skip"]


@dataclass(frozen=True)
class SourceSpec(Spec):
    """One labelled dataset, inside the folder given as --data.

    Attributes
    ----------
    name : str
        Short name for logs and cards.
    path : str
        Folder or zip, relative to the data folder; in the layout "dataset" the id or name of a registered dataset.
    layout : {"folders", "csv", "dataset"}, default "folders"
        "folders" (the folder's name is the label), "csv" (a table lists the labels) or "dataset" (registered in the
        workspace, read as it was there).
    csv, id_column, label_column : str, default ""
        The table inside `path` and its columns, for the layout "csv".
    file_pattern : str, default ""
        File of a row, as in "images/{id:0>3}.bmp", for the layout "csv".
    labels : tuple of (str, str), default ()
        Label in the data and class name; other labels are used as they are, in capitals.
    unlisted : {"unknown", "skip"}, default "unknown"
        What happens to labels outside the model's classes: "unknown" trains the model on them as unknown cells, "skip"
        leaves them out.
    groups : str, default "pixels"
        File of source cells (columns file, group) relative to the data folder; "pixels" finds copies from the pixels;
        "each" treats every image as a cell of its own; "kept" takes the groups stored with a registered dataset;
        "name:" and a regular expression takes what its round brackets match in a file's name, such as the patient.
    split : str, default ""
        CSV of `splits.split_file` relative to the data folder, or the name of a split stored with a registered dataset.
        Its parts fold0, fold1, ... are the folds of the run; "validation" is held out and "train" is trained on; all
        other parts, including "test", are left out. "" for new folds, with groups kept whole.
    weight : float, default 1.0
        Share of the training images that are drawn, relative to the other sources; above 0.
    limits : tuple of (str, int), default ()
        Class name and the maximum number of images to train on, from as few source cells as possible. What is held out
        is not limited, so that a class made rare can still be evaluated.
    limit_seed : int, default 0
        Decides which cells and images a limit leaves, see `training.samples.imbalance`.
    red_cell_px : float, default 0.0
        Diameter of red cells in its images, in pixels, for a model of physical frames; 0 to measure it.
    """

    name: str
    path: str
    layout: Layout = "folders"
    csv: str = ""
    id_column: str = ""
    label_column: str = ""
    file_pattern: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    unlisted: Unlisted = "unknown"
    groups: str = "pixels"
    split: str = ""
    weight: float = 1.0
    limits: tuple[tuple[str, int], ...] = ()
    limit_seed: int = 0
    red_cell_px: float = 0.0

    NOUN: ClassVar[str] = "source"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight > 0, f"`weight` must be above 0. Received: {self.weight}.")
        for class_name, n_images in self.limits:
            require(n_images >= 1, f"A limit must be at least 1 image. Received: {n_images} of {class_name}.")
        require_unique("Classes of `limits`", tuple(class_name for class_name, _ in self.limits))
        require_range(self, 0, float("inf"), "limit_seed", "red_cell_px")
        is_registered = self.layout == DATASET
        require(
            self.groups != STORED or is_registered,
            f"The groups {STORED!r} are those of a registered dataset, so `layout` must be {DATASET!r}."
            f" Received: {self.layout!r}.",
        )
        if self.layout == "csv":
            complete = self.csv and self.id_column and self.label_column and self.file_pattern
            require(bool(complete), "The layout 'csv' needs csv, id_column, label_column and file_pattern.")


def format_source_name(name: str) -> str:
    """Turn the name of a dataset into that of a source, for logs and file names."""
    return re.sub(r"[^\w .-]+", "-", name)


def open_source_file(path: Path) -> tuple[Contents, list[Record]]:
    """Open the images that a JSON file describes as a `SourceSpec`, whose path is relative to that file.

    Raises
    ------
    DatasetError, SpecError
        If the file or what it describes cannot be used.
    """
    try:
        source = SourceSpec.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"The dataset {path} cannot be read: {error.strerror}.") from error
    images = Contents(path.parent / source.path)
    return images, list_source_records(source, images)


def list_source_records(source: SourceSpec, images: Contents) -> list[Record]:
    """List the labelled images of one source, with labels translated to class names, in capitals.

    Returns
    -------
    list of Record
        In the layout "folders", the images that lie in a folder, sorted by file; in the layout "csv", in the order of
        the table.

    Raises
    ------
    DatasetError
        If no image lies in a folder; or the table, a column of it or a file that it names is missing.
    """
    labels = dict(source.labels)
    if source.layout == "csv":
        return _list_table_records(source, images, labels)
    files = sorted(file for file in images.files if get_suffix(file) in IMAGE_SUFFIXES)
    folders = {file: PurePosixPath(file).parent.name.upper() for file in files}
    records = [Record(file, labels.get(folder, folder)) for file, folder in folders.items() if folder]
    if not records:
        raise DatasetError(f"{images.path} must have one folder of images per class. Received: no folder with images.")
    return records


def _list_table_records(source: SourceSpec, images: Contents, labels: dict[str, str]) -> list[Record]:
    table = read_table(images, source.csv)
    if not {source.id_column, source.label_column} <= set(table.columns):
        raise DatasetError(
            f"{source.csv} must have the columns {source.id_column!r} and {source.label_column!r}. "
            f"Received: {list(table.columns)}."
        )
    if table.problems:
        raise DatasetError(f"{table.problems[0].file}: {table.problems[0].reason}")
    records = []
    for _, row in table.rows:
        file = source.file_pattern.format(id=row[source.id_column])
        if file not in images.files:
            raise DatasetError(f"{source.csv} names {file}, which is not in {images.path.name}.")
        label = row[source.label_column]
        records.append(Record(file, labels.get(label, label).upper()))
    return records


def assign_source_cells(
    method: str,
    images: Contents,
    records: Sequence[Record],
    on_progress: OnProgress | None = None,
) -> np.ndarray:
    """Assign every image to its source cell; copies of one cell share a number.

    Parameters
    ----------
    method : str
        "pixels" to find copies from the pixels, "each" to treat every image as a cell of its own, or the path of a CSV
        with the columns file and group.
    images : Contents
        Where the images are.
    records : sequence of Record
        The images.
    on_progress : callable, optional
        Called with (done, total) while copies are searched for.

    Returns
    -------
    ndarray of int64, shape (len(records),)

    Raises
    ------
    DatasetError
        If the CSV cannot be read or lacks one of the images.
    """
    if method == "each":
        return np.arange(len(records))
    if method == "pixels":
        return find_source_cells(lambda row: read_rgb(images.read(records[row].file)), len(records), on_progress)
    return number_groups(read_complete_groups(Path(method), [record.file for record in records]), records)


def number_groups(group_of: Mapping[str, str], records: Sequence[Record]) -> np.ndarray:
    """Return a number for the group of each image, in the order of the names of groups; int64 (N,)."""
    return np.unique([group_of[record.file] for record in records], return_inverse=True)[1].astype(np.int64)
