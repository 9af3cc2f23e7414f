"""Ending a job and telling of it, inside somebody's transaction."""

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from service.domain.job import OPEN_STATES, JobState, ShardState
from service.storage.clock import NOW
from service.storage.outbox import enqueue_job_end
from service.storage.postgres import allow_long_statements
from service.storage.tables.jobs import JobRow, ShardRow


def end_job(session: Session, number: int, state: JobState, error: dict[str, object] | None) -> bool:
    """Move an open job to an end state and drop its remaining shards. False: it had ended already."""
    ended = session.execute(
        update(JobRow)
        .where(JobRow.number == number, JobRow.state.in_(OPEN_STATES))
        .values(state=state, error=error, finished_at=NOW, version=JobRow.version + 1)
    )
    if ended.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult
        enqueue_job_end(session, number, state)
        allow_long_statements(session)
        session.execute(delete(ShardRow).where(ShardRow.job == number, ShardRow.state != ShardState.DONE))
    return bool(ended.rowcount)  # type: ignore[attr-defined]  # as above
