"""Adds stored maps, their images, sums of maps by class, and requests for maps."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_maps",
        *_image_columns("kept_maps"),
        sa.Column("variant", sa.String(40), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("job", "image", "cohort", "variant", name=op.f("pk_kept_maps")),
    )
    op.create_index(op.f("ix_kept_maps_until"), "kept_maps", ["until"])
    op.create_table(
        "kept_pictures",
        *_image_columns("kept_pictures"),
        sa.Column("sheet", sa.LargeBinary(), nullable=True),
        sa.Column("picture", sa.LargeBinary(), nullable=True),
        sa.Column("thumb", sa.LargeBinary(), nullable=True),
        sa.Column("until", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("job", "image", "cohort", name=op.f("pk_kept_pictures")),
    )
    op.create_index(op.f("ix_kept_pictures_until"), "kept_pictures", ["until"])
    op.create_table(
        "class_sums",
        _job(),
        sa.Column("cohort", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        *_foreign("class_sums"),
        sa.PrimaryKeyConstraint("job", "cohort", "label", name=op.f("pk_class_sums")),
    )
    op.create_table(
        "map_requests",
        *_image_columns("map_requests"),
        sa.Column("variants", sa.String(400), nullable=False),
        sa.Column("lasting", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("job", "image", "cohort", "variants", name=op.f("pk_map_requests")),
    )
    op.create_index(op.f("ix_map_requests_lasting_asked_at"), "map_requests", ["lasting", "asked_at"])


def downgrade() -> None:
    for table in ("map_requests", "class_sums", "kept_pictures", "kept_maps"):
        op.drop_table(table)


def _image_columns(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        _job(),
        sa.Column("image", sa.BigInteger(), nullable=False),
        sa.Column("cohort", sa.Integer(), nullable=False),
        *_foreign(table),
    )


def _job() -> sa.Column[int]:
    return sa.Column("job", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _foreign(table: str) -> tuple[sa.ForeignKeyConstraint]:
    return (sa.ForeignKeyConstraint(["job"], ["jobs.number"], name=op.f(f"fk_{table}_job"), ondelete="CASCADE"),)
