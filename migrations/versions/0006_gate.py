"""Adds verdicts, policies, and the cache keys of measured values."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("verdict", sa.JSON(), nullable=True))
    op.add_column("jobs", sa.Column("passes_reused", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("image_values", sa.Column("key", sa.LargeBinary(16), nullable=True))
    op.create_index(op.f("ix_image_values_key"), "image_values", ["key"])
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "policies",
        sa.Column("number", number, nullable=False),
        sa.Column("tenant", sa.String(200), server_default="", nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_policies")),
        sa.UniqueConstraint("tenant", "name", "version", name=op.f("uq_policies_tenant_name_version")),
    )


def downgrade() -> None:
    op.drop_table("policies")
    op.drop_index(op.f("ix_image_values_key"), "image_values")
    op.drop_column("image_values", "key")
    op.drop_column("jobs", "passes_reused")
    op.drop_column("jobs", "verdict")
