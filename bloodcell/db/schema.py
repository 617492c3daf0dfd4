"""The tables of the one database: batches, their images, cells, predictions, corrections, box edits, the audit; and jobs."""

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    exists,
    or_,
)

from bloodcell.core.text import clean_text

# Written out names, so that a later migration can drop a constraint on SQLite and on PostgreSQL alike.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

TIME_CHARS = 20  # 2026-01-31T10:00:00Z
SHA256_CHARS = 64


class CleanText(TypeDecorator[str]):
    """Text from outside, made storable on its way in by `core.text.clean_text`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """Clean a value before it is written."""
        return None if value is None else clean_text(value)


batches = Table(
    "batches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", CleanText, nullable=False),
    Column("model_name", CleanText, nullable=False),
    Column("model_sha256", String(SHA256_CHARS), nullable=False),
    Column("class_names", JSON, nullable=False),
    Column("created_at", String(TIME_CHARS), nullable=False),
    Column("created_by", CleanText, nullable=False),
    Column("deleted_at", String(TIME_CHARS)),
    Column("red_cell_px", Double),  # its scale, see `review.scale`
    Column("scale_source", String(10), nullable=False, server_default=""),
    Column("scale_images", Integer, nullable=False, server_default="0"),
    Column("scale_spread", Double, nullable=False, server_default="0"),
)

images = Table(
    "images",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("position", Integer, nullable=False),  # order of arrival, from 0
    Column("file_name", CleanText, nullable=False),
    Column("further_names", JSON, nullable=False),  # files of this batch with the same bytes
    Column("sha256", String(SHA256_CHARS)),  # NULL for a file without bytes
    Column("problem", CleanText, nullable=False),  # why it has no bytes
    Column("status", CleanText, nullable=False),  # "" while the image waits to be analysed
    Column("message", CleanText, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("tried_by", Text, nullable=False, server_default=""),  # see `review.tries`
    Column("red_cell_px", Double),  # this and the next four: NULL where only white cells were looked for
    Column("n_red_cells", Integer),
    Column("n_platelets", Integer),
    Column("sharpness", Double),  # see `imaging.focus`
    Column("other_boxes", JSON),  # class -> boxes as top, left, bottom, right
    UniqueConstraint("batch_id", "position"),
    UniqueConstraint("batch_id", "sha256"),
    Index(None, "batch_id", "status"),
)

cells = Table(
    "cells",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image_id", ForeignKey("images.id"), nullable=False),
    Column("number", Integer, nullable=False),  # from 1, in the finder's order
    Column("box_top", Integer, nullable=False),
    Column("box_left", Integer, nullable=False),
    Column("box_bottom", Integer, nullable=False),
    Column("box_right", Integer, nullable=False),
    UniqueConstraint("image_id", "number"),
)

predictions = Table(
    "predictions",
    metadata,
    Column("id", Integer, primary_key=True),  # the highest of a cell is the one that counts
    Column("cell_id", ForeignKey("cells.id"), nullable=False),
    Column("model_name", CleanText, nullable=False),
    Column("model_sha256", String(SHA256_CHARS), nullable=False),
    Column("class_name", CleanText, nullable=False),
    Column("probs", JSON, nullable=False),
    Column("status", CleanText, nullable=False),
    Column("created_at", String(TIME_CHARS), nullable=False),
    Index(None, "cell_id"),
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True),  # the highest of a cell that is not undone counts
    Column("cell_id", ForeignKey("cells.id"), nullable=False),
    Column("label", CleanText, nullable=False),
    Column("who", CleanText, nullable=False),
    Column("created_at", String(TIME_CHARS), nullable=False),
    Column("undone_at", String(TIME_CHARS)),
    Index(None, "cell_id"),
)

# What people did to the boxes of an image; the rows of one step are undone together.
box_edits = Table(
    "box_edits",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("image_id", ForeignKey("images.id"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("action", String(6), nullable=False),  # "add" or "remove"
    Column("kind", String(10), nullable=False),  # "WBC", "RBC" or "PLATELET"
    Column("cell_id", ForeignKey("cells.id")),  # of a white cell
    Column("box_top", Integer, nullable=False),
    Column("box_left", Integer, nullable=False),
    Column("box_bottom", Integer, nullable=False),
    Column("box_right", Integer, nullable=False),
    Column("who", CleanText, nullable=False),
    Column("created_at", String(TIME_CHARS), nullable=False),
    Column("undone_at", String(TIME_CHARS)),
    Index(None, "image_id"),
    Index(None, "cell_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("created_at", String(TIME_CHARS), nullable=False),
    Column("who", CleanText, nullable=False),
    Column("what", CleanText, nullable=False),
    Column("batch_id", ForeignKey("batches.id")),
    Column("detail", JSON, nullable=False),
    Index(None, "batch_id"),
)

# Times in seconds since 1970, as they are compared and subtracted to fractions of a second.
jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("title", CleanText, nullable=False),
    Column("name", CleanText, nullable=False),  # what its result shall be called
    Column("spec", JSON, nullable=False),  # settings of the kind; for training a TrainSpec
    Column("data_dir", CleanText, nullable=False),
    Column("who", CleanText, nullable=False),
    Column("status", String(20), nullable=False),
    Column("attempt", Integer, nullable=False),  # how often it was started
    Column("created_at", Double, nullable=False),
    Column("queued_at", Double, nullable=False),  # its place in the queue
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("host", CleanText),  # host, pid and pid_created together say which process works on it
    Column("pid", Integer),
    Column("pid_created", Double),
    Column("heartbeat_at", Double),
    Column("progress", JSON, nullable=False),
    Column("cancel_asked", Integer, nullable=False),  # 1 once its user wants it to stop
    Column("error", CleanText, nullable=False),
    Column("result", CleanText, nullable=False),  # folder in runs/
    Index(None, "status"),
)


def is_standing_cell() -> ColumnElement[bool]:
    """Return the condition that a row of `cells` is there: neither removed, nor added by a step that was undone."""
    gone = or_(
        and_(box_edits.c.action == "remove", box_edits.c.undone_at.is_(None)),
        and_(box_edits.c.action == "add", box_edits.c.undone_at.is_not(None)),
    )
    return ~exists().where(box_edits.c.cell_id == cells.c.id, gone)
