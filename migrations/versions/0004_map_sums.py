"""Adds the table of the sums of maps, from which the mean maps of two image sets are compared."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "map_sums",
        sa.Column("job", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cohort", sa.Integer(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("out_of_set", sa.Boolean(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.number"], name=op.f("fk_map_sums_job"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job", "cohort", "run", "out_of_set", name=op.f("pk_map_sums")),
    )


def downgrade() -> None:
    op.drop_table("map_sums")
