"""Adds the columns for interim looks and for jobs that stop early."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("so_far", sa.JSON(), nullable=True))
    op.add_column("jobs", sa.Column("looked", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("look_after", sa.Double(), nullable=True))
    op.add_column("jobs", sa.Column("stopped_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for name in ("stopped_at", "look_after", "looked", "so_far"):
        op.drop_column("jobs", name)
