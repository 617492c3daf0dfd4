"""Fields in, counts and boxes of all cells out, without a classifier and without a database."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bloodcell.core.errors import BloodcellError, ImageError, IntakeError
from bloodcell.core.labels import HAS_CELLS, NO_WHITE_CELL, NOT_A_SMEAR, PLATELET, RBC, WBC
from bloodcell.core.progress import OnProgress
from bloodcell.core.text import clean_text
from bloodcell.datasets.boxes.box_sets import BoxedImage, LabelledBox
from bloodcell.datasets.sources.uploads import IncomingFile
from bloodcell.imaging.large_image import SLIDE_SUFFIXES, open_large_image
from bloodcell.imaging.read import MAX_PIXELS
from bloodcell.inference.detector import Detector
from bloodcell.inference.field_finder import make_batch_finder, make_boxes
from bloodcell.inference.field_scale import BatchScale
from bloodcell.inference.large_detection import detect_large, measure_large_scale
from bloodcell.inference.pipeline import find_cells
from bloodcell.inference.results import CellResult, ImageResult, OtherCells
from bloodcell.review.field_counts import build_fields_table
from bloodcell.review.result_tables import build_cells_table, build_images_table


@dataclass(frozen=True)
class CountedFile:
    """One file and what was found in it."""

    name: str
    result: ImageResult


def count_files(
    detector: Detector, incoming: Iterable[IncomingFile], on_done: Callable[[], object]
) -> tuple[list[CountedFile], BatchScale | None]:
    """Find all cells in files.

    Parameters
    ----------
    detector : Detector
    incoming : iterable of IncomingFile
        Read once and lazily.
    on_done : callable
        Called without arguments once per file.

    Returns
    -------
    files : list of CountedFile
        In the order of `incoming`.
    scale : BatchScale or None
        Of all of them; None where no image could tell it.
    """
    names: deque[str] = deque()  # read by the pipeline, not answered yet

    def read() -> Iterator[bytes | BloodcellError]:
        for file in incoming:
            names.append(clean_text(file.name))
            problem = file.problem or "The file could not be read."
            yield IntakeError(problem) if file.data is None or file.problem else file.data

    finder, scale, images = make_batch_finder(detector, read())
    files = []
    for result in find_cells(images, finder):
        files.append(CountedFile(names.popleft(), result))
        on_done()
    return files, scale


def is_large_file(path: Path) -> bool:
    """Tell whether a file must be looked at in windows: a slide, or a TIFF of more pixels than `imaging.read` unpacks."""
    if path.suffix.lower() in SLIDE_SUFFIXES:
        return True
    if path.suffix.lower() not in (".tif", ".tiff") or not path.is_file():
        return False
    try:
        with open_large_image(path) as image:
            return image.height_px * image.width_px > MAX_PIXELS
    except ImageError:
        return False


def count_large_file(
    detector: Detector, path: Path, on_progress: OnProgress | None = None
) -> tuple[CountedFile, BatchScale | None]:
    """Find all cells in one large file at flat memory; it is a batch of its own.

    Raises
    ------
    ImageError
        If it is of a kind that is not read, or too large; damaged tiles are told in the message of the result.
    """
    with open_large_image(path) as image:
        scale = measure_large_scale(detector, image)
        if scale is None:
            message = "Its scale is unknown: no part shows red cells enough."
            result = ImageResult(NOT_A_SMEAR, (), message, image.height_px, image.width_px)
            return CountedFile(path.name, result), None
        found = detect_large(detector, image, scale.red_cell_px, on_progress)
        boxes = {
            name: make_boxes(found.select(np.asarray(found.class_index == index)))
            for index, name in enumerate(detector.model.class_names)
        }
        # Large images are stitched or scanned in focus; their sharpness is not measured.
        others = OtherCells(boxes[RBC], boxes[PLATELET], scale.red_cell_px, is_own_scale=True, sharpness=math.inf)
        cells = tuple(CellResult(box, "", (), "") for box in boxes[WBC])
        n_damaged = len(image.problems)
        message = f"Damaged tiles, taken for glass: {n_damaged}." if n_damaged else ""
        status = HAS_CELLS if cells else NO_WHITE_CELL
        result = ImageResult(status, cells, message, image.height_px, image.width_px, others)
    return CountedFile(path.name, result), BatchScale(scale.red_cell_px, 1, 0.0)


def tabulate_counts(files: Sequence[CountedFile]) -> pd.DataFrame:
    """Build the table of `field_counts.build_fields_table` of counted files."""
    images: list[tuple[Any, ...]] = []
    for number, file in enumerate(files, start=1):
        result = file.result
        before: tuple[Any, ...] = (
            number,
            number - 1,
            file.name,
            [],
            "",
            result.status,
            result.message,
            len(result.cells),
        )
        images.append((*before, result.height_px, result.width_px, *result.count_others()))
    cells = [
        (0, number, file.name, "", index, *map(int, cell.box), "", None, "", "", "", "", "", "")
        for number, file in enumerate(files, start=1)
        for index, cell in enumerate(file.result.cells, start=1)
    ]
    return build_fields_table(build_images_table(images), build_cells_table(cells, ("",)))


def make_boxed_image(file: CountedFile) -> BoxedImage | None:
    """Make an annotated image of a counted file; None where it is no field."""
    result, others = file.result, file.result.other_cells
    if others is None or result.status not in (HAS_CELLS, NO_WHITE_CELL):
        return None
    boxes = {WBC: [cell.box for cell in result.cells], RBC: others.red_cells, PLATELET: others.platelets}
    labelled = tuple(LabelledBox(kind, box) for kind, of_kind in boxes.items() for box in of_kind)
    return BoxedImage(file.name, result.height_px, result.width_px, labelled)
