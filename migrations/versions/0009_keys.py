"""Adds API keys and the tenants of artifacts and inspections; existing rows belong to the default tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("prefix", sa.String(40), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("tenant", sa.String(200), server_default="", nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("sha256", name=op.f("uq_api_keys_sha256")),
    )
    op.create_table(
        "artifact_owners",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(200), server_default="", nullable=False),
        sa.Column("uploaded_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "tenant", name=op.f("pk_artifact_owners")),
    )
    op.add_column("inspections", sa.Column("tenant", sa.String(200), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("inspections", "tenant")
    op.drop_table("artifact_owners")
    op.drop_table("api_keys")
