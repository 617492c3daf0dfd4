"""The one way from an image's bytes to its classified cells: read, find, crop, classify.

Pages, command line, evaluation and tests all come through here, so that identical bytes give identical answers.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np

from bloodcell.core.errors import BloodcellError
from bloodcell.core.labels import HAS_CELLS, NO_WHITE_CELL, NOT_A_SMEAR, UNREADABLE
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import crop_cell
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.engine import Engine
from bloodcell.inference.framing import Framing
from bloodcell.inference.results import CellResult, ImageResult
from bloodcell.model_store.io_spec import IMAGE

CHUNK_IMAGES = 8
# OpenCV and ONNX Runtime let other threads run, so chunks go side by side, each on one thread.
WORKERS = max(1, os.cpu_count() or 1)
# What people are shown of a cell: a little more of its surroundings than the network sees.
DISPLAY_CONTEXT = 1.5

ImageBytesOrError = bytes | BloodcellError


def analyse(engine: Engine, images: Iterable[ImageBytesOrError]) -> Iterator[ImageResult]:
    """Find and classify the white cells of images.

    Parameters
    ----------
    engine : Engine
    images : bytes of each image, or the error met on fetching them; taken a few chunks ahead, in this thread

    Yields
    ------
    ImageResult, one an image, in the order given. An image that cannot be used is unreadable, with the reason. A model
    that takes whole pictures names the largest cell of each; a picture without a white cell gets no answer from it.
    """
    yield from _map_chunks(images, partial(_analyse_chunk, engine))


def find_cells(images: Iterable[ImageBytesOrError]) -> Iterator[ImageResult]:
    """Find white cells without a model: the cells' class_name is "" and their probs are ()."""
    yield from _map_chunks(images, lambda chunk: [_read_and_find(image)[0] for image in chunk])


def crop_for_display(rgb: np.ndarray, box: Box, side_px: int = 120) -> np.ndarray:
    """Cut a cell for people to look at, in the picture's own colours: uint8 (side_px, side_px, 3)."""
    return crop_cell(rgb, box, side_px, DISPLAY_CONTEXT)


def compute_magnification(framing: Framing, side_px: int) -> int:
    """How many times a side of what a network sees goes into `side_px`, 1 at least; for `crop_model_input`."""
    return max(1, side_px // max(framing.io_spec.height_px, framing.io_spec.width_px))


def crop_model_input(framing: Framing, rgb: np.ndarray, box: Box, magnification: int = 1) -> np.ndarray:
    """Cut a cell as its network sees it in `analyse`; uint8 (height_px, width_px, 3), each side times `magnification`."""
    background_rgb = find_white_cells(rgb).background_rgb
    return framing.cut(framing.hide_background(rgb, background_rgb), box, background_rgb, magnification)


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


def _analyse_chunk(engine: Engine, images: list[ImageBytesOrError]) -> list[ImageResult]:
    results, crops = [], []
    for image in images:
        result, rgb, background_rgb = _read_and_find(image, engine.io_spec.needs_white_cell)
        results.append(result)
        if rgb is not None:
            if engine.io_spec.input == IMAGE and engine.io_spec.needs_white_cell:
                results[-1] = _keep_largest_cell(result)
            boxes = [cell.box for cell in results[-1].cells]
            seen = engine.framing.hide_background(rgb, background_rgb)
            crops += [engine.framing.cut(seen, box, background_rgb) for box in boxes]
    if not crops:
        return results
    scores = engine.classify(np.stack(crops))
    rows = iter(zip(scores.probs, scores.status, strict=True))
    return [
        replace(result, cells=tuple(_classify_cell(engine, cell, *next(rows)) for cell in result.cells))
        for result in results
    ]


def _keep_largest_cell(result: ImageResult) -> ImageResult:
    """A network of whole pictures gives one answer: it is the largest cell's, and that is said where there are more."""
    largest = max(result.cells, key=lambda cell: cell.box.area_px)
    others = len(result.cells) - 1
    message = f"The model looks at the whole picture; of its {others + 1} white cells the largest is named."
    return replace(result, cells=(largest,), message=message if others else "")


def _classify_cell(engine: Engine, cell: CellResult, probs: np.ndarray, status: str) -> CellResult:
    return CellResult(cell.box, engine.class_names[int(probs.argmax())], tuple(probs.tolist()), str(status))


def _read_and_find(
    image: ImageBytesOrError, needs_white_cell: bool = True
) -> tuple[ImageResult, np.ndarray | None, tuple[int, int, int]]:
    """Read one image and find its cells: the result without classes, the pixels, the background's colour.

    Where no white cell is needed the picture itself is what is named.
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
    finding = find_white_cells(rgb)
    if not finding.is_smear:
        return ImageResult(NOT_A_SMEAR, (), finding.reason, height, width), None, black
    if not finding.boxes:
        return ImageResult(NO_WHITE_CELL, (), "No white cell was found in it.", height, width), None, black
    cells = tuple(CellResult(box, "", (), "") for box in finding.boxes)
    return ImageResult(HAS_CELLS, cells, "", height, width), rgb, finding.background_rgb
