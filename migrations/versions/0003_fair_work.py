"""Adds the columns for fair scheduling and retries of shards, and for tenants, deadlines and deletion of jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COUNTS = ("format", "deaths", "restarts", "troubles")


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tenant", sa.String(length=200), server_default="", nullable=False))
        batch_op.add_column(sa.Column("priority", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("deadline_at", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("forgotten", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index(batch_op.f("ix_jobs_tenant_state"), ["tenant", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_jobs_forgotten_finished_at"), ["forgotten", "finished_at"], unique=False)
    with op.batch_alter_table("shards", schema=None) as batch_op:
        for name in COUNTS:
            batch_op.add_column(sa.Column(name, sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("priority", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("turn", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("not_before", sa.Double(), server_default="0", nullable=False))
        batch_op.drop_index(batch_op.f("ix_shards_state_id"))
        batch_op.create_index(
            batch_op.f("ix_shards_state_priority_turn_id"), ["state", "priority", "turn", "id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("shards", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_shards_state_priority_turn_id"))
        batch_op.create_index(batch_op.f("ix_shards_state_id"), ["state", "id"], unique=False)
        for name in ("not_before", "turn", "priority", *reversed(COUNTS)):
            batch_op.drop_column(name)
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_jobs_forgotten_finished_at"))
        batch_op.drop_index(batch_op.f("ix_jobs_tenant_state"))
        for name in ("forgotten", "deadline_at", "priority", "tenant"):
            batch_op.drop_column(name)
