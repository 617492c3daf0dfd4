"""Images: which processes began to analyse an image and did not come back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column to the images."""
    op.add_column("images", sa.Column("tried_by", sa.Text(), nullable=False, server_default=""))
