"""A stored batch as tables: one row per cell, and one row per image."""

from typing import Any

import pandas as pd
from sqlalchemy import Column, Engine, Function, Select, func, select

from bloodcell.db.database import begin_read
from bloodcell.db.schema import cells, corrections, images, is_standing_cell, predictions
from bloodcell.review.batches import read_batch
from bloodcell.review.result_tables import build_cells_table, build_images_table


def read_cells_table(db: Engine, batch_id: int) -> pd.DataFrame:
    """Read one row per cell, in input order of the images and then by cell number.

    Returns
    -------
    DataFrame
        cell_id, image_id, file_name, sha256, cell_number (from 1), top, left, bottom, right (pixels of the
        original image, end excluded), prediction, prob_<CLASS> for each class of the batch's model,
        confidence (the highest of them), status, correction ("" if none), label (correction, else
        prediction), who and when (of the correction, "" if none), model_name, model_sha256.
        Without a prediction, texts are "" and probabilities NaN.

    Raises
    ------
    StoreError
        If there is no such batch.
    """
    with begin_read(db) as connection:
        class_names = read_batch(connection, batch_id).class_names
        rows = connection.execute(_make_cells_query(batch_id)).all()
    return build_cells_table([tuple(row) for row in rows], class_names)


def read_images_table(db: Engine, batch_id: int) -> pd.DataFrame:
    """Read one row per image, in input order.

    Returns
    -------
    DataFrame
        image_id, position (from 0), file_name, further_names (list: exact duplicates of it), sha256 (""
        for a file without bytes), image_status ("" while waiting), message, n_cells, height_px, width_px,
        red_cell_px, n_red_cells, n_platelets, sharpness (NaN where only white cells were looked for).

    Raises
    ------
    StoreError
        If there is no such batch.
    """
    n_cells = select(func.count()).where(cells.c.image_id == images.c.id, is_standing_cell()).scalar_subquery()
    query = (
        select(
            images.c.id.label("image_id"),
            images.c.position,
            images.c.file_name,
            images.c.further_names,
            func.coalesce(images.c.sha256, "").label("sha256"),
            images.c.status.label("image_status"),
            images.c.message,
            n_cells.label("n_cells"),
            images.c.height_px,
            images.c.width_px,
            images.c.red_cell_px,
            images.c.n_red_cells,
            images.c.n_platelets,
            images.c.sharpness,
        )
        .where(images.c.batch_id == batch_id)
        .order_by(images.c.position)
    )
    with begin_read(db) as connection:
        read_batch(connection, batch_id)
        rows = connection.execute(query).all()
    return build_images_table([tuple(row) for row in rows])


def _make_cells_query(batch_id: int) -> Select[Any]:
    """Make the one query: cells with their newest prediction and their newest standing correction."""
    newest = predictions.alias("newest")
    newest_prediction = select(func.max(newest.c.id)).where(newest.c.cell_id == cells.c.id).scalar_subquery()
    standing = corrections.alias("standing")
    newest_correction = (
        select(func.max(standing.c.id))
        .where(standing.c.cell_id == cells.c.id, standing.c.undone_at.is_(None))
        .scalar_subquery()
    )

    def text_or_empty(column: Column[str]) -> Function[str]:
        return func.coalesce(column, "")

    return (
        select(
            cells.c.id,
            images.c.id,
            images.c.file_name,
            images.c.sha256,
            cells.c.number,
            cells.c.box_top,
            cells.c.box_left,
            cells.c.box_bottom,
            cells.c.box_right,
            text_or_empty(predictions.c.class_name),
            predictions.c.probs,
            text_or_empty(predictions.c.status),
            text_or_empty(corrections.c.label),
            text_or_empty(corrections.c.who),
            text_or_empty(corrections.c.created_at),
            text_or_empty(predictions.c.model_name),
            text_or_empty(predictions.c.model_sha256),
        )
        .select_from(cells.join(images))
        .outerjoin(predictions, predictions.c.id == newest_prediction)
        .outerjoin(corrections, corrections.c.id == newest_correction)
        .where(images.c.batch_id == batch_id, is_standing_cell())
        .order_by(images.c.position, cells.c.number)
    )
