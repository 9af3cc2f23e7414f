"""Pictures refer to no job's row: a million of them were looked up there one by one, a third of a plan's time.

Who writes them holds the job's row, and it goes only once they have gone.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("fk_images_job"), type_="foreignkey")


def downgrade() -> None:
    with op.batch_alter_table("images", schema=None) as batch_op:
        batch_op.create_foreign_key(op.f("fk_images_job"), "jobs", ["job"], ["number"], ondelete="CASCADE")
