"""The one way from the bytes of an image to its classified cells: read, find, crop, classify.

Pages, command line, evaluation and tests all come through here, so that equal bytes give equal results.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import BloodcellError
from bloodcell.core.labels import HAS_CELLS, NO_WHITE_CELL, NOT_A_SMEAR, UNREADABLE
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import crop_cell
from bloodcell.imaging.find import Finding, explain_no_cell, find_white_cells
from bloodcell.imaging.focus import measure_sharpness
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.engine import Engine
from bloodcell.inference.field_finder import FieldFinder, FieldFinding
from bloodcell.inference.framing import Framing
from bloodcell.inference.results import CellResult, ImageResult, OtherCells
from bloodcell.model_store.io_spec import IMAGE

CHUNK_IMAGES: Final = 8
# OpenCV and ONNX Runtime let other threads run, so chunks go side by side, each on one thread.
WORKERS: Final = max(1, os.cpu_count() or 1)
# What people are shown of a cell: a little more of its surroundings than the network sees.
DISPLAY_CONTEXT: Final = 1.5

ImageBytesOrError = bytes | BloodcellError


def analyse(
    engine: Engine, images: Iterable[ImageBytesOrError], finder: FieldFinder | None = None
) -> Iterator[ImageResult]:
    """Find and classify the white cells of images.

    Parameters
    ----------
    engine : Engine
        The model.
    images : iterable of bytes or BloodcellError
        Bytes of each image, or why they could not be had; taken a few chunks ahead, in this thread.
    finder : FieldFinder, optional
        Finds the cells of fields, red cells and platelets too. Without it, as for images of one labelled cell, white
        cells are found by their colour.

    Yields
    ------
    ImageResult
        One for each image, in the same order. An image that cannot be used is unreadable, with the reason. A model
        whose input is the whole image classifies the largest cell of each, and no image without a white cell.
    """
    yield from _map_chunks(images, partial(_analyse_chunk, engine, finder))


def find_cells(images: Iterable[ImageBytesOrError], finder: FieldFinder | None = None) -> Iterator[ImageResult]:
    """Find white cells without a model: their class names are "" and their probabilities empty; `finder` as in `analyse`.

    Examples
    --------
    >>> [result.status for result in find_cells([b"not an image"])]
    ['unreadable']
    """
    yield from _map_chunks(images, lambda chunk: [_read_and_find(image, finder)[0] for image in chunk])


def classify_box(engine: Engine, rgb: npt.NDArray[np.uint8], box: Box, red_cell_px: float | None = None) -> CellResult:
    """Classify one cell in a box that a person drew, as `analyse` would; `red_cell_px` as for `crop_model_input`."""
    scores = engine.classify(crop_model_input(engine.framing, rgb, box, red_cell_px=red_cell_px)[None])
    return _classify_cell(engine, CellResult(box, "", (), ""), scores.probs[0], scores.status[0])


def crop_for_display(rgb: npt.NDArray[np.uint8], box: Box, side_px: int = 120) -> npt.NDArray[np.uint8]:
    """Cut a cell for people to look at, in the image's own colours: uint8 (side_px, side_px, 3)."""
    return crop_cell(rgb, box, side_px, DISPLAY_CONTEXT)


def compute_magnification(framing: Framing, side_px: int) -> int:
    """Count how often the longer side of a network's input goes into `side_px`, at least 1; for `crop_model_input`."""
    return max(1, side_px // max(framing.io_spec.height_px, framing.io_spec.width_px))


def crop_model_input(
    framing: Framing,
    rgb: npt.NDArray[np.uint8],
    box: Box,
    magnification: int = 1,
    red_cell_px: float | None = None,
) -> npt.NDArray[np.uint8]:
    """Cut a cell as its network sees it in `analyse`.

    Parameters
    ----------
    framing : Framing
        Of the model.
    rgb : ndarray of uint8, shape (H, W, 3)
        The image.
    box : Box
        The cell.
    magnification : int, default 1
        More pixels on each side of the same frame, for people.
    red_cell_px : float, optional
        Diameter of red cells in the image, for a model of physical frames.

    Returns
    -------
    ndarray of uint8, shape (magnification * height_px, magnification * width_px, 3)
    """
    background_rgb = find_white_cells(rgb).background_rgb
    visible = framing.hide_background(rgb, background_rgb)
    return framing.make_input(visible, box, background_rgb, magnification, red_cell_px)


def _map_chunks(
    images: Iterable[ImageBytesOrError], work: Callable[[list[ImageBytesOrError]], list[ImageResult]]
) -> Iterator[ImageResult]:
    """Run `work` on chunks in threads and give the results in order, never more than a few chunks ahead."""
    waiting = iter(images)
    running: deque[Future[list[ImageResult]]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        while True:
            while len(running) <= WORKERS and (chunk := list(islice(waiting, CHUNK_IMAGES))):
                running.append(pool.submit(work, chunk))
            if not running:
                return
            yield from running.popleft().result()


def _analyse_chunk(engine: Engine, finder: FieldFinder | None, images: list[ImageBytesOrError]) -> list[ImageResult]:
    results, crops = [], []
    for image in images:
        result, rgb, background_rgb = _read_and_find(image, finder, engine.io_spec.needs_white_cell)
        results.append(result)
        if rgb is not None:
            if engine.io_spec.input == IMAGE and engine.io_spec.needs_white_cell:
                results[-1] = _keep_largest_cell(result)
            boxes = [cell.box for cell in results[-1].cells]
            visible = engine.framing.hide_background(rgb, background_rgb)
            others = results[-1].other_cells
            red_cell_px = others.red_cell_px if others is not None else None
            crops += [engine.framing.make_input(visible, box, background_rgb, red_cell_px=red_cell_px) for box in boxes]
    if not crops:
        return results
    scores = engine.classify(np.stack(crops))
    rows = iter(zip(scores.probs, scores.status, strict=True))
    return [
        replace(result, cells=tuple(_classify_cell(engine, cell, *next(rows)) for cell in result.cells))
        for result in results
    ]


def _keep_largest_cell(result: ImageResult) -> ImageResult:
    """Keep the one cell that a network of whole images classifies, and say so where there are more."""
    largest = max(result.cells, key=lambda cell: cell.box.area_px)
    others = len(result.cells) - 1
    message = f"This model looks at the whole image, so only the largest of its {others + 1} white cells is classified."
    return replace(result, cells=(largest,), message=message if others else "")


def _classify_cell(engine: Engine, cell: CellResult, probs: npt.NDArray[np.float32], status: str) -> CellResult:
    return CellResult(cell.box, engine.class_names[int(probs.argmax())], tuple(probs.tolist()), str(status))


def _read_and_find(
    image: ImageBytesOrError, finder: FieldFinder | None, needs_white_cell: bool = True
) -> tuple[ImageResult, npt.NDArray[np.uint8] | None, tuple[int, int, int]]:
    """Read one image and find its cells: the result without classes, the pixels, the colour of the background.

    Where no white cell is needed, the box is the whole image.
    """
    black = (0, 0, 0)
    if isinstance(image, BloodcellError):
        return ImageResult(UNREADABLE, (), str(image), 0, 0), None, black
    try:
        rgb = read_rgb(image)
    except BloodcellError as error:
        return ImageResult(UNREADABLE, (), str(error), 0, 0), None, black
    height, width = rgb.shape[:2]
    if not needs_white_cell:
        whole = CellResult(Box(0, 0, height, width), "", (), "")
        return ImageResult(HAS_CELLS, (whole,), "", height, width), rgb, black
    boxes, finding, others = _find(rgb, finder)
    if not finding.is_smear:
        return ImageResult(NOT_A_SMEAR, (), finding.reason, height, width), None, black
    if not boxes:
        return ImageResult(NO_WHITE_CELL, (), explain_no_cell(rgb), height, width, others), None, black
    cells = tuple(CellResult(box, "", (), "") for box in boxes)
    return ImageResult(HAS_CELLS, cells, "", height, width, others), rgb, finding.background_rgb


def _find(
    rgb: npt.NDArray[np.uint8], finder: FieldFinder | None
) -> tuple[tuple[Box, ...], Finding | FieldFinding, OtherCells | None]:
    if finder is None:
        finding = find_white_cells(rgb)
        return finding.boxes, finding, None
    field = finder.find(rgb)
    others = OtherCells(
        field.red_cells,
        field.platelets,
        field.red_cell_px,
        field.is_own_scale,
        measure_sharpness(rgb, field.red_cell_px),
    )
    return field.white_cells, field, others
