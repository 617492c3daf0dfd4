"""Fields: the scale of a batch, and the red cells and platelets of its images."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; what was analysed before has no scale and no counts."""
    op.add_column("batches", sa.Column("red_cell_px", sa.Double(), nullable=True))
    op.add_column("batches", sa.Column("scale_source", sa.String(10), nullable=False, server_default=""))
    op.add_column("batches", sa.Column("scale_images", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("batches", sa.Column("scale_spread", sa.Double(), nullable=False, server_default="0"))
    op.add_column("images", sa.Column("red_cell_px", sa.Double(), nullable=True))
    op.add_column("images", sa.Column("n_red_cells", sa.Integer(), nullable=True))
    op.add_column("images", sa.Column("n_platelets", sa.Integer(), nullable=True))
    op.add_column("images", sa.Column("sharpness", sa.Double(), nullable=True))
    op.add_column("images", sa.Column("other_boxes", sa.JSON(), nullable=True))
