"""Rows of shards in a worker's hands, inside somebody's transaction.

Whoever needs both rows locks the job's before the shard's, so that no two transactions wait for each other.
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.domain.job import Shard, ShardState
from service.errors import LeaseLost
from service.storage.tables.jobs import JobRow, ShardRow


def lock_if_owned(session: Session, shard: Shard) -> ShardRow | None:
    """The locked row of a shard; None where it is no longer this worker's."""
    session.execute(select(JobRow.number).where(JobRow.id == shard.job).with_for_update())
    chosen = select(ShardRow).where(
        ShardRow.id == shard.id,
        ShardRow.state == ShardState.RUNNING,
        ShardRow.worker == shard.worker,
        ShardRow.attempt == shard.attempt,
    )
    return session.scalars(chosen.with_for_update()).one_or_none()


def lock_owned(session: Session, shard: Shard) -> ShardRow:
    """The locked row of a shard. Raises LeaseLost where it is no longer this worker's."""
    row = lock_if_owned(session, shard)
    if row is None:
        raise LeaseLost(shard=shard.id)
    return row


def finish_shard(session: Session, shard: Shard) -> ShardRow:
    """End a shard, once. Raises LeaseLost."""
    row = lock_owned(session, shard)
    row.state, row.lease_until = ShardState.DONE, None
    session.flush()
    return row


def count_passes(session: Session, row: ShardRow, passes: int) -> None:
    """Set a shard's count of passes, and move the job's by the difference."""
    gained = passes - row.passes_done
    row.passes_done = passes
    if gained:
        changed = {"passes_done": JobRow.passes_done + gained, "version": JobRow.version + 1}
        session.execute(update(JobRow).where(JobRow.number == row.job).values(**changed))
