"""The results of a batch as CSV, from its tables: one row per image, or one row per cell.

Both are UTF-8 with BOM, so that Excel reads them correctly, and end their lines with CR LF. Text that a spreadsheet would
take for a formula gets a leading quote.

Header of the one per cell: file, sha256, cell_number, top, left, bottom, right, prediction, prob_<CLASS> for each class of
the batch's model, status, correction, who, when, model, model_sha256.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, Protocol

import pandas as pd

from bloodcell.core.io import encode_csv
from bloodcell.core.labels import HAS_CELLS, NO_WHITE_CELL, NOT_A_CELL, PER_IMAGE_WORDS
from bloodcell.imaging.boxes import Box

PER_IMAGE_HEADER: Final = ("Filename", "Prediction")
WAITING_WORD: Final = "NOT_ANALYSED"  # per image: an image that is still waiting
WAITING_STATUS: Final = "not analysed"  # per cell: the same


class UsedModel(Protocol):
    """What a CSV says of the model: a `review.batches.Batch` and an `inference.engine.Engine` have it."""

    @property
    def model_name(self) -> str:
        """Name in the model library."""

    @property
    def model_sha256(self) -> str:
        """Hash of its ``model.onnx``."""

    @property
    def class_names(self) -> Sequence[str]:
        """Classes in the order of its outputs."""


def encode_per_image(images: pd.DataFrame, cells: pd.DataFrame) -> bytes:
    """Write the two tables of a batch as a CSV of one row per image.

    The prediction is that of `export.export_per_image`.

    Parameters
    ----------
    images, cells : DataFrame
        As `result_tables` builds them.

    Returns
    -------
    bytes
        UTF-8 with BOM, header ``Filename,Prediction``.
    """
    cells_of = defaultdict(list)
    for cell in cells.itertuples(index=False):
        cells_of[cell.image_id].append(cell)
    rows = [
        (image.file_name, _choose_class(image.image_status, cells_of[image.image_id]))
        for image in images.itertuples(index=False)
    ]
    return encode_csv(PER_IMAGE_HEADER, rows)


def encode_per_cell(model: UsedModel, images: pd.DataFrame, cells: pd.DataFrame) -> bytes:
    """Write the two tables of a batch as a CSV of one row per cell.

    Parameters
    ----------
    model : UsedModel
        The batch or engine: it names the columns of probabilities, and the model where an image has no cell.
    images, cells : DataFrame
        As `result_tables` builds them.

    Returns
    -------
    bytes
        UTF-8 with BOM.
    """
    prob_names = tuple(f"prob_{name}" for name in model.class_names)
    before = ("cell_number", *Box._fields, "prediction")
    after = ("status", "correction", "who", "when")
    columns = [cells[name].tolist() for name in (*before, *prob_names, *after, "model_name", "model_sha256")]
    rows_of: dict[int, list[list[Any]]] = defaultdict(list)
    for image_id, *values in zip(cells["image_id"].tolist(), *columns, strict=True):
        rows_of[image_id].append([_format_prob(value) for value in values])

    rows: list[list[Any]] = []
    for image in images.itertuples(index=False):
        no_cell = [""] * (len(before) + len(prob_names))
        no_cell += [image.image_status or WAITING_STATUS, "", "", "", model.model_name, model.model_sha256]
        for values in rows_of.get(image.image_id, [no_cell]):
            rows.append([image.file_name, image.sha256, *values])
    return encode_csv(("file", "sha256", *before, *prob_names, *after, "model", "model_sha256"), rows)


def _choose_class(image_status: str, cells: Sequence[Any]) -> str:
    """Choose the one word for an image from its rows of the cells table."""
    if not image_status:
        return WAITING_WORD
    counting = [cell for cell in cells if cell.label != NOT_A_CELL and (image_status == HAS_CELLS or cell.correction)]
    if counting:
        return max(counting, key=_area_px).label or WAITING_WORD
    return PER_IMAGE_WORDS[NO_WHITE_CELL if image_status == HAS_CELLS else image_status]


def _area_px(cell: Any) -> int:
    return Box(cell.top, cell.left, cell.bottom, cell.right).area_px


def _format_prob(value: Any) -> Any:
    """Write a probability with six decimals, none as an empty text; other values stay."""
    if not isinstance(value, float):
        return value
    return "" if value != value else f"{value:.6f}"
