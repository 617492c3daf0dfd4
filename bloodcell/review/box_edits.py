"""Boxes that people add, remove, move and split; each step is an entry with who and when, and can be undone.

What was found stays as it is. A white cell is gone while an edit that removes it stands, and there while the edit that
added it stands; red cells and platelets likewise, known by kind and box.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, select

from bloodcell.core.clock import now_utc
from bloodcell.core.errors import StoreError
from bloodcell.core.labels import DETECTED, HAS_CELLS, NO_WHITE_CELL, PLATELET, RBC, WBC
from bloodcell.db.database import begin_read, begin_write
from bloodcell.db.schema import box_edits, cells, images, is_standing_cell
from bloodcell.imaging.boxes import Box
from bloodcell.inference.results import CellResult
from bloodcell.review.batches import Batch, read_batch, write_audit
from bloodcell.review.images import insert_cells

ADD, REMOVE = "add", "remove"
MIN_BOX_PX: Final = 4
_COUNTS: Final = {RBC: images.c.n_red_cells, PLATELET: images.c.n_platelets}
_SIDES: Final = (box_edits.c.box_top, box_edits.c.box_left, box_edits.c.box_bottom, box_edits.c.box_right)


@dataclass(frozen=True)
class FieldBox:
    """One box of a field.

    Attributes
    ----------
    kind : str
        One of `DETECTED`.
    box : Box
    cell_id : int or None
        Of a white cell.
    """

    kind: str
    box: Box
    cell_id: int | None = None


@dataclass(frozen=True)
class NewBox:
    """A box to be added.

    Attributes
    ----------
    kind : str
        One of `DETECTED`.
    box : Box
    result : CellResult or None
        What the batch's model says of it; for white cells.
    """

    kind: str
    box: Box
    result: CellResult | None = None


def read_field_boxes(db: Engine, image_id: int) -> list[FieldBox]:
    """Read all boxes of an image as they stand: white cells by their number, then red cells and platelets.

    Raises
    ------
    StoreError
        If there is no such image.
    """
    with begin_read(db) as connection:
        return _read_boxes(connection, image_id)


def edit_boxes(
    db: Engine, image_id: int, remove: Sequence[FieldBox], add: Sequence[NewBox], who: str
) -> list[int | None]:
    """Change the boxes of an image in one step: to move a box is to remove it and add another.

    Parameters
    ----------
    db : Engine
    image_id : int
    remove : sequence of FieldBox
        As `read_field_boxes` gives them.
    add : sequence of NewBox
    who : str

    Returns
    -------
    list of (int or None)
        The cells that `add` became; None for red cells and platelets.

    Raises
    ------
    StoreError
        If there is no such image, a box to remove is not there (another person may have changed it), or a box to add is
        smaller than `MIN_BOX_PX` or outside the image; nothing is changed then.
    """
    with begin_write(db) as connection:
        image = connection.execute(select(images).where(images.c.id == image_id).with_for_update()).one_or_none()
        if image is None:
            raise StoreError(f"There is no image {image_id} in this workspace.")
        there = _read_boxes(connection, image_id)
        for box in remove:
            if box not in there:
                raise StoreError("This box has been changed meanwhile: look at the field again.")
        for new in add:
            _check_box(new, image.height_px, image.width_px)
        batch = read_batch(connection, image.batch_id)
        added = [_add_cell(connection, image_id, batch, new) for new in add]
        step = 1 + (connection.scalar(select(func.max(box_edits.c.step))) or 0)
        entries = [(REMOVE, box.kind, box.cell_id, box.box) for box in remove]
        entries += [(ADD, new.kind, cell_id, new.box) for new, cell_id in zip(add, added, strict=True)]
        now = now_utc()
        connection.execute(
            box_edits.insert(),
            [
                {
                    "image_id": image_id,
                    "step": step,
                    "action": action,
                    "kind": kind,
                    "cell_id": cell_id,
                    **dict(zip((side.name for side in _SIDES), map(int, box), strict=True)),
                    "who": who,
                    "created_at": now,
                }
                for action, kind, cell_id, box in entries
            ],
        )
        _update_image(connection, image_id)
        detail = {"image_id": image_id, "removed": len(remove), "added": len(add)}
        write_audit(connection, image.batch_id, who, "boxes changed", detail)
    return added


def undo_last_edit(db: Engine, batch_id: int, who: str) -> int | None:
    """Undo this person's latest standing step in this batch.

    Returns
    -------
    int or None
        The image, so that the page can jump to it; None if there is nothing to undo.
    """
    of_person = (
        select(box_edits.c.step, box_edits.c.image_id)
        .select_from(box_edits.join(images))
        .where(images.c.batch_id == batch_id, box_edits.c.who == who, box_edits.c.undone_at.is_(None))
        .order_by(box_edits.c.step.desc())
        .limit(1)
    )
    with begin_write(db) as connection:
        row = connection.execute(of_person).one_or_none()
        if row is None:
            return None
        connection.execute(box_edits.update().where(box_edits.c.step == row.step).values(undone_at=now_utc()))
        _update_image(connection, row.image_id)
        write_audit(connection, batch_id, who, "boxes restored", {"image_id": row.image_id})
    return int(row.image_id)


def _read_boxes(connection: Connection, image_id: int) -> list[FieldBox]:
    found = connection.execute(select(images.c.other_boxes).where(images.c.id == image_id)).one_or_none()
    if found is None:
        raise StoreError(f"There is no image {image_id} in this workspace.")
    white = select(cells).where(cells.c.image_id == image_id, is_standing_cell()).order_by(cells.c.number)
    boxes = [
        FieldBox(WBC, Box(row.box_top, row.box_left, row.box_bottom, row.box_right), row.id)
        for row in connection.execute(white)
    ]
    others = [
        FieldBox(kind, Box(*map(int, box)))
        for kind in (RBC, PLATELET)
        for box in (found.other_boxes or {}).get(kind, [])
    ]
    standing = select(box_edits.c.action, box_edits.c.kind, *_SIDES).where(
        box_edits.c.image_id == image_id, box_edits.c.kind != WBC, box_edits.c.undone_at.is_(None)
    )
    for action, kind, *sides in connection.execute(standing.order_by(box_edits.c.id)):
        box = FieldBox(kind, Box(*sides))
        if action == ADD:
            others.append(box)
        elif box in others:
            others.remove(box)
    return boxes + others


def _check_box(new: NewBox, height_px: int, width_px: int) -> None:
    box = new.box
    if new.kind not in DETECTED:
        raise StoreError(f"A box must be of one of {', '.join(DETECTED)}. Received: {new.kind!r}.")
    inside = box.top >= 0 and box.left >= 0 and box.bottom <= height_px and box.right <= width_px
    if not inside or box.height < MIN_BOX_PX or box.width < MIN_BOX_PX:
        raise StoreError(
            f"A box must lie in the image of {width_px} x {height_px} pixels and have at least {MIN_BOX_PX} on each side. "
            f"Received: {box.width} x {box.height} at {box.left}, {box.top}."
        )


def _add_cell(connection: Connection, image_id: int, batch: Batch, new: NewBox) -> int | None:
    """Insert a white cell and what the model says of it; other kinds live in the edit alone."""
    if new.kind != WBC:
        return None
    highest = connection.scalar(select(func.max(cells.c.number)).where(cells.c.image_id == image_id)) or 0
    result = new.result or CellResult(new.box, "", (), "")
    (cell_id,) = insert_cells(connection, [(image_id, highest + 1, result)], batch.model_name, batch.model_sha256)
    return cell_id


def _update_image(connection: Connection, image_id: int) -> None:
    """Count the boxes of an image anew, and whether it shows a white cell."""
    boxes = _read_boxes(connection, image_id)
    image = connection.execute(select(images.c.status, images.c.n_red_cells).where(images.c.id == image_id)).one()
    values: dict[str, Any] = {}
    if image.n_red_cells is not None:
        values = {column.name: sum(box.kind == kind for box in boxes) for kind, column in _COUNTS.items()}
    if image.status in (HAS_CELLS, NO_WHITE_CELL):
        has_cells = any(box.kind == WBC for box in boxes)
        values["status"] = HAS_CELLS if has_cells else NO_WHITE_CELL
        values["message"] = "" if has_cells else "No white cell is marked in this image."
    connection.execute(images.update().where(images.c.id == image_id).values(values))
