"""Adds the trace of the request that submitted a job, to which the spans of its shards belong."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("trace", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "trace")
