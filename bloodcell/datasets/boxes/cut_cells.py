"""Cut the cells out of images with boxes: single cells for classifiers, in a folder a class, with a table beside them."""

import hashlib
from pathlib import Path
from typing import Any, Final

from bloodcell.core.errors import BloodcellError, DatasetError, StoppedError
from bloodcell.core.io import encode_csv, write_atomic
from bloodcell.core.progress import OnProgress, ShouldStop
from bloodcell.core.text import make_folder_name
from bloodcell.datasets.boxes.box_sets import BoxSet
from bloodcell.datasets.sources.contents import Contents, Problem
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import cut_surroundings
from bloodcell.imaging.read import encode_png, read_rgb

CELLS_CSV: Final = "cells.csv"
HEADER: Final = ("file", "group", "label", "image", *Box._fields)


def cut_cells(
    contents: Contents,
    boxes: BoxSet,
    out: Path,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> tuple[int, list[Problem]]:
    """Write a PNG of each cell into ``out/CLASS/`` and a table of all to ``out/cells.csv``.

    The column "group" is the SHA-256 of the image that a cell comes from, so that a split by groups keeps the cells of
    one image together.

    Parameters
    ----------
    contents : Contents
        Open.
    boxes : BoxSet
    out : Path
        A folder that is missing or empty.
    on_progress : callable, optional
        Called with (done, total), in images.
    should_stop : callable, optional
        Asked before every image.

    Returns
    -------
    n_cells : int
    problems : list of Problem
        Images that cannot be read.

    Raises
    ------
    DatasetError
        If `out` is not empty, or there is no box.
    StoppedError
        If `should_stop` said so; what is written stays.
    """
    if out.exists() and any(out.iterdir()):
        raise DatasetError(f"The folder {out} is not empty. Choose a new one.")
    if not boxes.label_counts:
        raise DatasetError(f"{contents.path.name} has no boxes of these labels.")
    rows: list[list[Any]] = []
    problems: list[Problem] = []
    for done, image in enumerate(boxes.images, start=1):
        if should_stop is not None and should_stop():
            raise StoppedError(f"Stopped after {done - 1} of {len(boxes.images)} images.")
        try:
            data = contents.read(image.file)
            rgb = read_rgb(data)
        except BloodcellError as error:
            problems.append(Problem(image.file, str(error)))
            continue
        sha256 = hashlib.sha256(data).hexdigest()
        for number, box in enumerate(image.boxes, start=1):
            file = f"{make_folder_name(box.label)}/{sha256[:16]}-{number:04d}.png"
            (out / file).parent.mkdir(parents=True, exist_ok=True)
            write_atomic(out / file, encode_png(cut_surroundings(rgb, box.box)))
            rows.append([file, sha256, box.label, image.file, *box.box])
        if on_progress is not None:
            on_progress(done, len(boxes.images))
    write_atomic(out / CELLS_CSV, encode_csv(HEADER, rows))
    return len(rows), problems
