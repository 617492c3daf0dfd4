"""The scale of a stored batch: measured from its first images, or set by a person."""

from typing import Final

from sqlalchemy import Engine, select

from bloodcell.core.errors import StoreError
from bloodcell.db.database import begin_read, begin_write
from bloodcell.db.schema import batches, images
from bloodcell.inference.field_scale import BatchScale
from bloodcell.review.batches import read_batch, write_audit

MEASURED: Final = "measured"
SET: Final = "set"
UNKNOWN: Final = "unknown"  # measured, but no image showed red cells enough
MIN_RED_CELL_PX, MAX_RED_CELL_PX = 6.0, 600.0


def read_scale(db: Engine, batch_id: int) -> BatchScale | None:
    """Read the scale of a batch, None where it is not known; StoreError if there is no such batch."""
    columns = (batches.c.red_cell_px, batches.c.scale_images, batches.c.scale_spread)
    with begin_read(db) as connection:
        read_batch(connection, batch_id)
        row = connection.execute(select(*columns).where(batches.c.id == batch_id)).one()
    return None if row.red_cell_px is None else BatchScale(*row)


def read_image_scale(db: Engine, image_id: int) -> float | None:
    """Read the diameter of red cells, in pixels, at which an image was seen; None where it was not looked for."""
    with begin_read(db) as connection:
        diameter_px: float | None = connection.scalar(select(images.c.red_cell_px).where(images.c.id == image_id))
    return diameter_px


def store_measured_scale(db: Engine, batch_id: int, scale: BatchScale | None) -> None:
    """Store what was measured, unless a scale is stored already: two pages may analyse one batch."""
    values: dict[str, object] = {"scale_source": UNKNOWN}
    if scale is not None:
        values = {
            "red_cell_px": scale.red_cell_px,
            "scale_source": MEASURED,
            "scale_images": scale.n_images,
            "scale_spread": scale.spread,
        }
    with begin_write(db) as connection:
        is_open = (batches.c.id == batch_id) & batches.c.scale_source.in_(("", UNKNOWN))
        connection.execute(batches.update().where(is_open).values(values))


def set_scale(db: Engine, batch_id: int, red_cell_px: float, who: str) -> None:
    """Set the scale of a batch by hand; images that are analysed afterwards are seen at it.

    Raises
    ------
    StoreError
        If there is no such batch, or the diameter is outside `MIN_RED_CELL_PX` to `MAX_RED_CELL_PX`.
    """
    if not MIN_RED_CELL_PX <= red_cell_px <= MAX_RED_CELL_PX:
        raise StoreError(
            f"The diameter of a red cell must be from {MIN_RED_CELL_PX:g} to {MAX_RED_CELL_PX:g} pixels. "
            f"Received: {red_cell_px:g}."
        )
    with begin_write(db) as connection:
        read_batch(connection, batch_id)
        values = {"red_cell_px": red_cell_px, "scale_source": SET, "scale_images": 0, "scale_spread": 0.0}
        connection.execute(batches.update().where(batches.c.id == batch_id).values(values))
        write_audit(connection, batch_id, who, "scale set", {"red_cell_px": red_cell_px})
