"""Corrections of cells by people: adding one, undoing the last one, and the history of a cell."""

from dataclasses import dataclass

from sqlalchemy import Engine, select

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import StoreError
from bloodcell.core.labels import EXTRA_DECISIONS
from bloodcell.db.database import begin_read, begin_write
from bloodcell.db.schema import cells, corrections, images
from bloodcell.review.batches import read_batch, write_audit


@dataclass(frozen=True)
class Correction:
    """One correction or confirmation of a cell.

    Attributes
    ----------
    label : str
    who : str
    when : str
        ISO in UTC.
    undone_when : str
        ISO in UTC; "" while the correction stands.
    """

    label: str
    who: str
    when: str
    undone_when: str


def add_correction(db: Engine, cell_id: int, label: str, who: str) -> None:
    """Add a correction of a cell; the same label as predicted confirms the prediction.

    Parameters
    ----------
    label : str
        A class of the batch's model, or one of `labels.EXTRA_DECISIONS`.
    who : str
        Name of the person, stored as it is.

    Raises
    ------
    StoreError
        If there is no such cell, or the label is not allowed.
    """
    with begin_write(db) as connection:
        of_cell = select(images.c.batch_id).select_from(cells.join(images)).where(cells.c.id == cell_id)
        batch_id = connection.scalar(of_cell)
        if batch_id is None:
            raise StoreError(f"There is no cell {cell_id} in this workspace.")
        allowed = (*read_batch(connection, batch_id).class_names, *EXTRA_DECISIONS)
        if label not in allowed:
            raise StoreError(f"The label must be one of {', '.join(allowed)}. Received: {label!r}.")
        row = {"cell_id": cell_id, "label": label, "who": who, "created_at": now_utc()}
        connection.execute(corrections.insert().values(row))
        write_audit(connection, batch_id, who, "cell corrected", {"cell_id": cell_id, "label": label})


def undo_last_correction(db: Engine, batch_id: int, who: str) -> int | None:
    """Undo this person's latest standing correction in this batch; further calls step further back.

    The correction is marked as undone, not deleted; an earlier one of the same cell stands again.

    Returns
    -------
    int or None
        The cell, so that the page can jump to it; None if there is nothing to undo.
    """
    latest = (
        select(corrections.c.id, corrections.c.cell_id, corrections.c.label)
        .select_from(corrections.join(cells).join(images))
        .where(images.c.batch_id == batch_id, corrections.c.who == who, corrections.c.undone_at.is_(None))
        .order_by(corrections.c.id.desc())
        .limit(1)
        .with_for_update(of=corrections)  # if two undo at once, the second takes the one before
    )
    with begin_write(db) as connection:
        row = connection.execute(latest).one_or_none()
        if row is None:
            return None
        connection.execute(corrections.update().where(corrections.c.id == row.id).values(undone_at=now_utc()))
        write_audit(connection, batch_id, who, "correction undone", {"cell_id": row.cell_id, "label": row.label})
    cell_id: int = row.cell_id
    return cell_id


def list_corrections(db: Engine, cell_id: int) -> list[Correction]:
    """Return every correction of a cell, including undone ones, oldest first."""
    query = (
        select(corrections.c.label, corrections.c.who, corrections.c.created_at, corrections.c.undone_at)
        .where(corrections.c.cell_id == cell_id)
        .order_by(corrections.c.id)
    )
    with begin_read(db) as connection:
        return [Correction(*row[:3], row.undone_at or "") for row in connection.execute(query)]
