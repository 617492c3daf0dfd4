"""A batch as CSV: the plain one with one row an image, and the full one with one row a cell.

Both are UTF-8 with BOM, so that Excel reads them rightly, and end their lines with CR LF. Text that a
spreadsheet would take for a formula gets a leading quote.

Header of the full one: file, sha256, cell_number, top, left, bottom, right, prediction, prob_<CLASS> for each
class of the batch's model, status, correction, who, when, model, model_sha256.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine

from bloodcell.core.csv_text import encode_csv
from bloodcell.core.labels import HAS_CELLS, NO_WHITE_CELL, NOT_A_CELL, PER_IMAGE_WORDS
from bloodcell.db.database import begin_write
from bloodcell.imaging.boxes import Box
from bloodcell.review.batches import Batch, get_batch, write_audit
from bloodcell.review.tables import read_cells_table, read_images_table

PER_IMAGE_HEADER: Final = ("Filename", "Prediction")
WAITING_WORD: Final = "NOT_ANALYSED"  # plain: an image that is still waiting
WAITING_STATUS: Final = "not analysed"  # full: the same


def export_per_image(db: Engine, batch_id: int, who: str | None = None) -> bytes:
    """Write one row an image in input order, with the header ``Filename,Prediction``.

    The prediction is the label (correction, else prediction) of the largest cell that is not decided to be
    NOT_A_CELL, the first of several equally large ones. Where there is none, it is a word of
    `classes.PLAIN_WORDS`; an image that is not a blood smear gives a class only if a person gave it one.

    Parameters
    ----------
    who : str, optional
        Who exports; given, the export is noted in the audit.

    Returns
    -------
    bytes, UTF-8 with BOM

    Raises
    ------
    StoreError
        If there is no such batch.
    """
    content = encode_per_image(read_images_table(db, batch_id), read_cells_table(db, batch_id))
    _audit_export(db, batch_id, who, "plain")
    return content


def encode_per_image(images: pd.DataFrame, cells: pd.DataFrame) -> bytes:
    """The plain CSV of a batch's tables (`review.tables`)."""
    cells_of = defaultdict(list)
    for cell in cells.itertuples(index=False):
        cells_of[cell.image_id].append(cell)
    rows = [
        (image.file_name, _choose_class(image.image_status, cells_of[image.image_id]))
        for image in images.itertuples(index=False)
    ]
    return encode_csv(PER_IMAGE_HEADER, rows)


def export_per_cell(db: Engine, batch_id: int, who: str | None = None) -> bytes:
    """Write one row a cell, and one row with its image status for an image without cells.

    Boxes are pixels of the original image, end excluded; probabilities have six decimals; times are UTC.
    A row without a cell leaves the cell's columns empty.

    Parameters
    ----------
    who : str, optional
        Who exports; given, the export is noted in the audit.

    Returns
    -------
    bytes, UTF-8 with BOM

    Raises
    ------
    StoreError
        If there is no such batch.
    """
    content = encode_per_cell(get_batch(db, batch_id), read_images_table(db, batch_id), read_cells_table(db, batch_id))
    _audit_export(db, batch_id, who, "full")
    return content


def encode_per_cell(batch: Batch, images: pd.DataFrame, cells: pd.DataFrame) -> bytes:
    """The full CSV of a batch and its tables (`review.tables`)."""
    prob_names = tuple(f"prob_{name}" for name in batch.class_names)
    before = ("cell_number", *Box._fields, "prediction")
    after = ("status", "correction", "who", "when")
    columns = [cells[name].tolist() for name in (*before, *prob_names, *after, "model_name", "model_sha256")]
    rows_of: dict[int, list[list[Any]]] = defaultdict(list)
    for image_id, *values in zip(cells["image_id"].tolist(), *columns, strict=True):
        rows_of[image_id].append([_format_prob(value) for value in values])

    rows: list[list[Any]] = []
    for image in images.itertuples(index=False):
        no_cell = [""] * (len(before) + len(prob_names))
        no_cell += [image.image_status or WAITING_STATUS, "", "", "", batch.model_name, batch.model_sha256]
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


def _audit_export(db: Engine, batch_id: int, who: str | None, kind: str) -> None:
    if who is not None:
        with begin_write(db) as connection:
            write_audit(connection, batch_id, who, "batch exported", {"kind": kind})
