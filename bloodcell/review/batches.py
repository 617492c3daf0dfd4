"""Batches: named sets of images, each analysed with one model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, and_, exists, func, select

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import StoreError
from bloodcell.db.database import begin_read, begin_write
from bloodcell.db.schema import audit, batches, cells, corrections, images, is_standing_cell

MAX_NAME_CHARS = 200


@dataclass(frozen=True)
class Batch:
    """A batch and the model that it was created with.

    Attributes
    ----------
    id : int
    name : str
        Two batches may have the same.
    model_name, model_sha256 : str
        Of the model.
    class_names : tuple of str
        In the order of the model's outputs.
    created_at : str
        ISO in UTC.
    created_by : str
    """

    id: int
    name: str
    model_name: str
    model_sha256: str
    class_names: tuple[str, ...]
    created_at: str
    created_by: str


@dataclass(frozen=True)
class BatchSummary:
    """One line of the list of batches.

    Attributes
    ----------
    id : int
    name : str
    created_at : str
        ISO in UTC.
    n_images : int
        Images, including those that could not be used.
    n_cells : int
        Boxes found.
    n_corrected : int
        Cells with a correction that stands, including confirmed ones.
    n_waiting : int
        Images that are not analysed yet.
    model_name : str
    """

    id: int
    name: str
    created_at: str
    n_images: int
    n_cells: int
    n_corrected: int
    n_waiting: int
    model_name: str


def create_batch(
    db: Engine, name: str, model_name: str, model_sha256: str, class_names: Sequence[str], who: str
) -> int:
    """Create a batch for one model and return its id; two batches may have the same name.

    Raises
    ------
    StoreError
        If `name` is blank or longer than `MAX_NAME_CHARS`, or `class_names` is empty.
    """
    name = _clean_name(name)
    if not class_names:
        raise StoreError("A batch needs the class names of its model. Received: none.")
    row = {
        "name": name,
        "model_name": model_name,
        "model_sha256": model_sha256,
        "class_names": list(class_names),
        "created_at": now_utc(),
        "created_by": who,
    }
    with begin_write(db) as connection:
        batch_id: int = connection.execute(batches.insert().values(row).returning(batches.c.id)).scalar_one()
        write_audit(connection, batch_id, who, "batch created", {"name": name, "model": model_name})
    return batch_id


def get_batch(db: Engine, batch_id: int) -> Batch:
    """Return one batch, which may be a deleted one.

    Raises
    ------
    StoreError
        If there is no batch of that id.
    """
    with begin_read(db) as connection:
        return read_batch(connection, batch_id)


def list_batches(db: Engine, deleted: bool = False) -> list[BatchSummary]:
    """List the batches, newest first; with `deleted`, only the deleted ones, which can be restored."""
    of_batch = images.c.batch_id == batches.c.id
    n_images = select(func.count()).select_from(images).where(of_batch)
    n_cells = select(func.count()).select_from(cells.join(images)).where(of_batch, is_standing_cell())
    stands = exists().where(and_(corrections.c.cell_id == cells.c.id, corrections.c.undone_at.is_(None)))
    query = (
        select(
            batches.c.id,
            batches.c.name,
            batches.c.created_at,
            n_images.scalar_subquery(),
            n_cells.scalar_subquery(),
            n_cells.where(stands).scalar_subquery(),
            n_images.where(images.c.status == "").scalar_subquery(),
            batches.c.model_name,
        )
        .where(batches.c.deleted_at.is_not(None) if deleted else batches.c.deleted_at.is_(None))
        .order_by(batches.c.id.desc())
    )
    with begin_read(db) as connection:
        return [BatchSummary(*row) for row in connection.execute(query)]


def rename_batch(db: Engine, batch_id: int, name: str, who: str) -> None:
    """Give a batch another name.

    Raises
    ------
    StoreError
        If there is no such batch, or `name` is blank or longer than `MAX_NAME_CHARS`.
    """
    name = _clean_name(name)
    with begin_write(db) as connection:
        before = read_batch(connection, batch_id).name
        connection.execute(batches.update().where(batches.c.id == batch_id).values(name=name))
        write_audit(connection, batch_id, who, "batch renamed", {"before": before, "after": name})


def delete_batch(db: Engine, batch_id: int, who: str) -> None:
    """Hide a batch from the list; nothing is lost, `restore_batch` brings it back.

    Raises
    ------
    StoreError
        If there is no such batch.
    """
    with begin_write(db) as connection:
        read_batch(connection, batch_id)
        connection.execute(batches.update().where(batches.c.id == batch_id).values(deleted_at=now_utc()))
        write_audit(connection, batch_id, who, "batch deleted", {})


def restore_batch(db: Engine, batch_id: int, who: str) -> None:
    """Bring a deleted batch back into the list.

    Raises
    ------
    StoreError
        If there is no such batch.
    """
    with begin_write(db) as connection:
        read_batch(connection, batch_id)
        connection.execute(batches.update().where(batches.c.id == batch_id).values(deleted_at=None))
        write_audit(connection, batch_id, who, "batch restored", {})


def read_batch(connection: Connection, batch_id: int) -> Batch:
    """Read one batch inside an open transaction; StoreError if there is none."""
    columns = [batches.c[name] for name in Batch.__dataclass_fields__]
    row = connection.execute(select(*columns).where(batches.c.id == batch_id)).one_or_none()
    if row is None:
        raise StoreError(f"There is no batch {batch_id} in this workspace.")
    return Batch(**{**row._mapping, "class_names": tuple(row.class_names)})


def write_audit(connection: Connection, batch_id: int, who: str, what: str, detail: dict[str, Any]) -> None:
    """Write one line of the audit inside an open transaction."""
    row = {"created_at": now_utc(), "who": who, "what": what, "batch_id": batch_id, "detail": detail}
    connection.execute(audit.insert().values(row))


def _clean_name(name: str) -> str:
    """Return the name without blanks at its ends; StoreError if it is empty or too long."""
    name = name.strip()
    if not name:
        raise StoreError("A batch needs a name. Received: an empty one.")
    if len(name) > MAX_NAME_CHARS:
        raise StoreError(f"A batch name has at most {MAX_NAME_CHARS} characters. Received: {len(name)}.")
    return name
