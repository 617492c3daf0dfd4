"""Box edits: boxes that people added and removed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table of edits."""
    op.create_table(
        "box_edits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(6), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("cell_id", sa.Integer(), nullable=True),
        sa.Column("box_top", sa.Integer(), nullable=False),
        sa.Column("box_left", sa.Integer(), nullable=False),
        sa.Column("box_bottom", sa.Integer(), nullable=False),
        sa.Column("box_right", sa.Integer(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(20), nullable=False),
        sa.Column("undone_at", sa.String(20), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_box_edits"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_box_edits_image_id_images"),
        sa.ForeignKeyConstraint(["cell_id"], ["cells.id"], name="fk_box_edits_cell_id_cells"),
    )
    op.create_index("ix_box_edits_image_id", "box_edits", ["image_id"])
    op.create_index("ix_box_edits_cell_id", "box_edits", ["cell_id"])
