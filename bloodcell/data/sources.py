"""A labelled dataset as settings describe it, and the images it lists."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bloodcell.data.groups import find_source_cells
from bloodcell.data.records import ImageSource, Record, csv_records, folder_records, read_groups
from bloodcell.errors import DatasetError
from bloodcell.imaging.read import read_rgb
from bloodcell.jsonspec import build, json_object, require

LAYOUTS = ("folders", "csv")
UNLISTED = ("unknown", "skip")


@dataclass(frozen=True)
class SourceSpec:
    """One labelled dataset, below the folder given as --data.

    name : short name for logs and cards
    path : folder or zip, relative to the data folder
    layout : "folders" (the folder's name is the label) or "csv" (a table lists the labels)
    csv, id_column, label_column : the table inside `path` and its columns, for the layout "csv"
    file_pattern : file of a row, as in "images/{id:0>3}.bmp", for the layout "csv"
    labels : label in the data -> class name; labels not named are taken as they are, in capitals
    unlisted : what becomes of labels outside the model's classes: "unknown" teaches the model to say so, "skip"
    groups : file of source cells (columns file, group) relative to the data folder; "pixels" finds copies from
        the pixels; "each" where every image is a cell of its own
    weight : share of the drawn training images, relative to the other sources
    limits : class name -> most images to learn from, taken from as few source cells as hold so many; what is held out
        is not limited, so that a class made rare can still be judged
    limit_seed : which cells and images a limit leaves, see `data.limits`
    """

    name: str
    path: str
    layout: str = "folders"
    csv: str = ""
    id_column: str = ""
    label_column: str = ""
    file_pattern: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    unlisted: str = "unknown"
    groups: str = "pixels"
    weight: float = 1.0
    limits: tuple[tuple[str, int], ...] = ()
    limit_seed: int = 0

    def __post_init__(self) -> None:
        require(self.layout in LAYOUTS, f"`layout` must be one of {LAYOUTS}. Received: {self.layout!r}.")
        require(self.unlisted in UNLISTED, f"`unlisted` must be one of {UNLISTED}. Received: {self.unlisted!r}.")
        require(self.weight > 0, f"`weight` must be above 0. Received: {self.weight}.")
        pairs = all(isinstance(limit, tuple) and len(limit) == 2 for limit in self.limits)
        require(pairs, f"`limits` must be pairs of a class name and a number of images. Received: {self.limits}.")
        for class_name, most in self.limits:
            right = isinstance(class_name, str) and isinstance(most, int) and most >= 1
            require(right, f"A limit must be a class name and 1 or more images. Received: {(class_name, most)}.")
        limited = [class_name for class_name, _ in self.limits]
        require(len(set(limited)) == len(limited), f"`limits` names a class twice. Received: {limited}.")
        require(self.limit_seed >= 0, f"`limit_seed` must be 0 or more. Received: {self.limit_seed}.")
        if self.layout == "csv":
            complete = self.csv and self.id_column and self.label_column and self.file_pattern
            require(bool(complete), "The layout 'csv' needs csv, id_column, label_column and file_pattern.")

    @classmethod
    def from_json(cls, text: str) -> "SourceSpec":
        """Read one source; SpecError names settings that do not exist."""
        return build(cls, json_object(text))


def source_records(source: SourceSpec, images: ImageSource) -> list[Record]:
    """The labelled images of one source, its labels translated to class names."""
    labels = dict(source.labels)
    if source.layout == "csv":
        return csv_records(images, source.csv, source.id_column, source.label_column, source.file_pattern, labels)
    return [Record(record.file, labels.get(record.label, record.label)) for record in folder_records(images)]


def source_cells(
    how: str, images: ImageSource, records: list[Record], on_progress: Callable[[int, int], None] | None = None
) -> np.ndarray:
    """Source cell of each image: copies of one cell share a number.

    Parameters
    ----------
    how : "pixels" to find copies from the pixels, "each" to take every image as a cell of its own, or the path of a
        CSV with the columns file and group

    Returns
    -------
    int64 array of shape (len(records),)

    Raises
    ------
    DatasetError
        If the CSV cannot be read or lacks one of the images.
    """
    if how == "each":
        return np.arange(len(records))
    if how == "pixels":
        return find_source_cells(lambda row: read_rgb(images.read(records[row].file)), len(records), on_progress)
    by_file = read_groups(Path(how))
    missing = [record.file for record in records if record.file not in by_file]
    if missing:
        raise DatasetError(f"{how} gives no group for {missing[0]} and {len(missing) - 1} other images.")
    return np.unique([by_file[record.file] for record in records], return_inverse=True)[1].astype(np.int64)
