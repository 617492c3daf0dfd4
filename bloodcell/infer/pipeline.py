"""The one way from an image's bytes to its classified cells: read, find, crop, classify.

Pages, command line, evaluation and tests all come through here, so that identical bytes give identical answers.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from bloodcell.classes import HAS_CELLS, NO_WHITE_CELL, NOT_A_SMEAR, UNREADABLE
from bloodcell.errors import BloodcellError
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.crop import crop_cell
from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import read_rgb
from bloodcell.infer.engine import Engine
from bloodcell.infer.results import CellResult, ImageResult

CHUNK_IMAGES = 32
READ_THREADS = 2
# What people are shown of a cell: a little more of its surroundings than the network sees.
SHOWN_CONTEXT = 1.5

ImageBytes = bytes | BloodcellError
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Prepared:
    result: ImageResult
    crops: list[np.ndarray]


def analyse(
    engine: Engine, images: Iterable[ImageBytes], on_progress: OnProgress | None = None
) -> Iterator[ImageResult]:
    """Find and classify the white cells of images.

    Parameters
    ----------
    engine : Engine
    images : bytes of each image, or the error met on fetching them
    on_progress : called with (images done, images taken so far)

    Yields
    ------
    ImageResult, one an image, in the order given. An image that cannot be used is unreadable, with the reason.
    """
    done = 0
    for chunk in _prepared_chunks(images, engine.side_px, engine.context):
        crops = [crop for prepared in chunk for crop in prepared.crops]
        stacked = np.stack(crops) if crops else np.empty((0, engine.side_px, engine.side_px, 3), np.uint8)
        scores = engine.classify(stacked)
        row = 0
        for prepared in chunk:
            cells = []
            for cell in prepared.result.cells:
                probs = scores.probs[row]
                name = engine.class_names[int(probs.argmax())]
                cells.append(CellResult(cell.box, name, tuple(probs.tolist()), str(scores.status[row])))
                row += 1
            done += 1
            if on_progress is not None:
                on_progress(done, done)
            yield _with_cells(prepared.result, tuple(cells))


def find_only(images: Iterable[ImageBytes]) -> Iterator[ImageResult]:
    """Find white cells without a model: the cells' class_name is "" and their probs are ()."""
    for chunk in _prepared_chunks(images, None, 1.0):
        for prepared in chunk:
            yield prepared.result


def cell_crop(rgb: np.ndarray, box: Box, side_px: int = 120) -> np.ndarray:
    """Cut a cell for people to look at, in the picture's own colours: uint8 (side_px, side_px, 3)."""
    return crop_cell(rgb, box, side_px, SHOWN_CONTEXT)


def _prepared_chunks(images: Iterable[ImageBytes], side_px: int | None, context: float) -> Iterator[list[_Prepared]]:
    """Read, find and crop in threads (OpenCV frees them), one chunk ahead of who consumes them."""
    waiting = iter(images)
    with ThreadPoolExecutor(READ_THREADS) as pool:

        def start() -> list[Future[_Prepared]]:
            return [pool.submit(_prepare, image, side_px, context) for image in islice(waiting, CHUNK_IMAGES)]

        running = start()
        while running:
            following = start()
            yield [future.result() for future in running]
            running = following


def _prepare(image: ImageBytes, side_px: int | None, context: float) -> _Prepared:
    if isinstance(image, BloodcellError):
        return _Prepared(ImageResult(UNREADABLE, (), str(image), 0, 0), [])
    try:
        rgb = read_rgb(image)
    except BloodcellError as error:
        return _Prepared(ImageResult(UNREADABLE, (), str(error), 0, 0), [])
    finding = find_white_cells(rgb)
    height, width = rgb.shape[:2]
    if not finding.is_smear:
        return _Prepared(ImageResult(NOT_A_SMEAR, (), finding.reason, height, width), [])
    if not finding.boxes:
        return _Prepared(ImageResult(NO_WHITE_CELL, (), "No white cell was found in it.", height, width), [])
    cells = tuple(CellResult(box, "", (), "") for box in finding.boxes)
    crops = [crop_cell(rgb, box, side_px, context, finding.background_rgb) for box in finding.boxes] if side_px else []
    return _Prepared(ImageResult(HAS_CELLS, cells, "", height, width), crops)


def _with_cells(result: ImageResult, cells: tuple[CellResult, ...]) -> ImageResult:
    return ImageResult(result.status, cells, result.message, result.height_px, result.width_px)
