"""Write a stored batch as CSV, and note in the audit who did; the CSV itself: `review.result_csv`."""

from sqlalchemy import Engine

from bloodcell.db.database import begin_write
from bloodcell.review.batches import get_batch, write_audit
from bloodcell.review.result_csv import encode_per_cell, encode_per_image
from bloodcell.review.tables import read_cells_table, read_images_table


def export_per_image(db: Engine, batch_id: int, who: str | None = None) -> bytes:
    """Write one row per image in input order, with the header ``Filename,Prediction``.

    The prediction is the label (correction, else prediction) of the largest cell that is not corrected to
    NOT_A_CELL, the first of several equally large ones. Where there is none, it is a word of
    `labels.PER_IMAGE_WORDS`; an image that is not a blood smear has a class only if a person gave it one.

    Parameters
    ----------
    who : str, optional
        Who exports, for the audit; without it the export is not noted there.

    Returns
    -------
    bytes
        UTF-8 with BOM.

    Raises
    ------
    StoreError
        If there is no such batch.
    """
    content = encode_per_image(read_images_table(db, batch_id), read_cells_table(db, batch_id))
    _audit_export(db, batch_id, who, "plain")
    return content


def export_per_cell(db: Engine, batch_id: int, who: str | None = None) -> bytes:
    """Write one row per cell, and one row with its image status for an image without cells.

    Boxes are pixels of the original image, end excluded; probabilities have six decimals; times are UTC.
    A row without a cell leaves the cell's columns empty.

    Parameters
    ----------
    who : str, optional
        Who exports, for the audit; without it the export is not noted there.

    Returns
    -------
    bytes
        UTF-8 with BOM.

    Raises
    ------
    StoreError
        If there is no such batch.
    """
    content = encode_per_cell(get_batch(db, batch_id), read_images_table(db, batch_id), read_cells_table(db, batch_id))
    _audit_export(db, batch_id, who, "full")
    return content


def _audit_export(db: Engine, batch_id: int, who: str | None, kind: str) -> None:
    if who is not None:
        with begin_write(db) as connection:
            write_audit(connection, batch_id, who, "batch exported", {"kind": kind})
