"""Boxes in a CSV with a row a box (filename, class, xmin, ymin, xmax, ymax), as Roboflow and TensorFlow's tools write it."""

from typing import Final

from bloodcell.core.errors import BloodcellError
from bloodcell.datasets.boxes.box_sets import BoxedImage, RawBox, collect_named_boxes
from bloodcell.datasets.labels.csv_tables import read_table
from bloodcell.datasets.sources.contents import Contents, Problem

_SIDES: Final = ("xmin", "ymin", "xmax", "ymax")
_COLUMNS: Final = {"filename", "class", *_SIDES}


def find_csv_files(contents: Contents) -> list[str]:
    """List the .csv files whose header has the columns of boxes, sorted."""
    files = sorted(file for file in contents.files if file.lower().endswith(".csv"))
    return [file for file in files if set(_read_header(contents.read(file))) >= _COLUMNS]


def read_csv_boxes(contents: Contents, files: list[str]) -> tuple[list[BoxedImage], list[Problem]]:
    """Read the boxes of images.

    Parameters
    ----------
    contents : Contents
    files : list of str
        From `find_csv_files`; Roboflow writes one a part.

    Returns
    -------
    images : list of BoxedImage
    problems : list of Problem
        Files that cannot be read, images that are missing, boxes that were left out.
    """
    images: list[BoxedImage] = []
    problems: list[Problem] = []
    for file in files:
        try:
            boxes = _read_rows(contents, file)
        except (BloodcellError, ValueError) as error:
            problems.append(Problem(file, f"It cannot be read: {error}"))
            continue
        images += collect_named_boxes(contents, file, boxes.items(), problems)
    return images, problems


def _read_header(data: bytes) -> list[str]:
    line = data[:2000].decode("utf-8-sig", "replace").splitlines()[:1]
    return [name.strip().strip('"').lower() for name in (line[0] if line else "").replace(";", ",").split(",")]


def _read_rows(contents: Contents, file: str) -> dict[str, list[RawBox]]:
    boxes: dict[str, list[RawBox]] = {}
    for _, cells in read_table(contents, file).rows:
        row = {name.lower(): text for name, text in cells.items()}
        boxes.setdefault(row["filename"], []).append(RawBox(row["class"], *(float(row[side]) for side in _SIDES)))
    return boxes
