"""Changes of job and shard rows that run inside the caller's transaction.

A transaction that needs both rows locks the job's row before the shard's row, which prevents deadlocks.
"""

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from service.domain.job import OPEN_STATES, JobState
from service.domain.work import Shard, ShardState
from service.errors import LeaseLost
from service.storage.clock import NOW
from service.storage.outbox import enqueue_job_end
from service.storage.postgres import allow_long_statements
from service.storage.tables.jobs import JobRow, ShardRow


def lock_if_owned(session: Session, shard: Shard) -> ShardRow | None:
    """Lock and return the row of a shard; None if the worker no longer holds its lease."""
    session.execute(select(JobRow.number).where(JobRow.id == shard.job).with_for_update())
    chosen = select(ShardRow).where(
        ShardRow.id == shard.id,
        ShardRow.state == ShardState.RUNNING,
        ShardRow.worker == shard.worker,
        ShardRow.attempt == shard.attempt,
    )
    return session.scalars(chosen.with_for_update()).one_or_none()


def lock_owned(session: Session, shard: Shard) -> ShardRow:
    """Lock and return the row of a shard. Raises LeaseLost if the worker no longer holds its lease."""
    row = lock_if_owned(session, shard)
    if row is None:
        raise LeaseLost(shard=shard.id)
    return row


def finish_shard(session: Session, shard: Shard) -> ShardRow:
    """Mark a shard as done. Raises LeaseLost."""
    row = lock_owned(session, shard)
    row.state, row.lease_until = ShardState.DONE, None
    session.flush()
    return row


def count_passes(session: Session, row: ShardRow, passes: int) -> None:
    """Set the number of passes of a shard, and add the difference to its job."""
    gained = passes - row.passes_done
    row.passes_done = passes
    if gained:
        changed = {"passes_done": JobRow.passes_done + gained, "version": JobRow.version + 1}
        session.execute(update(JobRow).where(JobRow.number == row.job).values(**changed))


def end_job(session: Session, number: int, state: JobState, error: dict[str, object] | None) -> bool:
    """Move an open job to an end state, notify its webhooks and delete its unfinished shards.

    Returns False if the job has ended before.
    """
    ended = session.execute(
        update(JobRow)
        .where(JobRow.number == number, JobRow.state.in_(OPEN_STATES))
        .values(state=state, error=error, finished_at=NOW, version=JobRow.version + 1)
    )
    if ended.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
        enqueue_job_end(session, number, state)
        allow_long_statements(session)
        session.execute(delete(ShardRow).where(ShardRow.job == number, ShardRow.state != ShardState.DONE))
    return bool(ended.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
