"""Files in, the two tables of a batch out, without a database: for a batch that nobody will review."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from bloodcell.core.errors import BloodcellError
from bloodcell.core.labels import UNREADABLE
from bloodcell.core.text import clean_text
from bloodcell.datasets.sources.uploads import IncomingFile
from bloodcell.inference.detector import Detector
from bloodcell.inference.engine import Engine
from bloodcell.inference.field_finder import make_batch_finder
from bloodcell.inference.pipeline import analyse
from bloodcell.inference.results import ImageResult
from bloodcell.review.result_tables import build_cells_table, build_images_table


@dataclass(frozen=True)
class ClassifiedFiles:
    """The tables of a batch, as `review.tables` reads them of one that is stored.

    Attributes
    ----------
    images : DataFrame
        One row per image, in the order in which the files arrived.
    cells : DataFrame
        One row per cell.
    """

    images: pd.DataFrame
    cells: pd.DataFrame


@dataclass
class _Image:
    """An image with all its names, and what the pipeline says of it once it has."""

    names: list[str]
    sha256: str
    result: ImageResult


def classify_files(
    engine: Engine,
    incoming: Iterable[IncomingFile],
    on_done: Callable[[], object],
    detector: Detector | None = None,
) -> ClassifiedFiles:
    """Classify files in one pass, without keeping their bytes.

    Two files with the same bytes are one image with two names. The tables equal those of a batch that took in the same
    files (`intake.add_files`, `intake.analyse_waiting`), but for the ids.

    Parameters
    ----------
    engine : Engine
        The model.
    incoming : iterable of IncomingFile
        Read once and lazily, while the pipeline's threads work.
    on_done : callable
        Called without arguments once per file.
    detector : Detector, optional
        As for `intake.analyse_waiting`.

    Returns
    -------
    ClassifiedFiles
    """
    images: list[_Image] = []
    by_sha256: dict[str, _Image] = {}
    waiting: deque[_Image] = deque()  # read by the pipeline, not answered yet

    def read_new_images() -> Iterator[bytes]:
        for file in incoming:
            name = clean_text(file.name)
            if file.data is None or file.problem:
                problem = clean_text(file.problem or "The file could not be read.")
                images.append(_Image([name], "", ImageResult(UNREADABLE, (), problem, 0, 0)))
                on_done()
                continue
            sha256 = hashlib.sha256(file.data).hexdigest()
            if sha256 in by_sha256:
                if name not in by_sha256[sha256].names:
                    by_sha256[sha256].names.append(name)
                on_done()
                continue
            by_sha256[sha256] = image = _Image([name], sha256, ImageResult("", (), "", 0, 0))
            images.append(image)
            waiting.append(image)
            yield file.data

    contents: Iterable[bytes | BloodcellError] = read_new_images()
    finder = None
    if detector is not None and engine.io_spec.needs_white_cell:
        finder, _, contents = make_batch_finder(detector, contents, engine.class_names)
    for result in analyse(engine, contents, finder):
        waiting.popleft().result = result
        on_done()
    return ClassifiedFiles(_build_images(images), _build_cells(images, engine))


def _build_images(images: list[_Image]) -> pd.DataFrame:
    return build_images_table(
        [
            (
                number,
                number - 1,
                image.names[0],
                image.names[1:],
                image.sha256,
                image.result.status,
                clean_text(image.result.message),
                len(image.result.cells),
                image.result.height_px,
                image.result.width_px,
                *image.result.count_others(),
            )
            for number, image in enumerate(images, start=1)
        ]
    )


def _build_cells(images: list[_Image], engine: Engine) -> pd.DataFrame:
    numbered = [
        (image_number, image, cell_number, cell)
        for image_number, image in enumerate(images, start=1)
        for cell_number, cell in enumerate(image.result.cells, start=1)
    ]
    return build_cells_table(
        [
            (
                cell_id,
                image_number,
                image.names[0],
                image.sha256,
                cell_number,
                *map(int, cell.box),
                cell.class_name,
                [float(prob) for prob in cell.probs],
                cell.status,
                *("", "", ""),  # correction, who, when
                engine.model_name,
                engine.model_sha256,
            )
            for cell_id, (image_number, image, cell_number, cell) in enumerate(numbered, start=1)
        ],
        engine.class_names,
    )
