"""Whose work comes next: shards of a priority take turns by job, and by tenant where jobs have one.

A shard's turn is fixed when it is put into the queue, as start-time fair queueing does (Goyal et al. 1996): the clock
is the latest turn that was claimed; a job's shards stand one turn apart, from the clock on. So a job that comes while
ten thousand shards of another wait has its plan, its first slice and its summary done before the next of them, and
from its second slice on they alternate. A tenant's jobs share its turns: with n of them open, a job's shards stand
n turns apart.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.domain import FORMAT, OPEN_STATES, ShardKind, ShardState
from service.tables import JobRow, ShardRow


class Turns:
    """The turns of shards that a job puts into the queue now: `at(0)`, `at(1)`, ..."""

    def __init__(self, session: Session, job: int) -> None:
        row = session.execute(select(JobRow.tenant, JobRow.priority).where(JobRow.number == job)).one()
        self.priority: int = row.priority
        self._apart = _open_jobs(session, row.tenant) if row.tenant else 1
        self._clock = _clock(session, row.priority)

    def at(self, number: int) -> int:
        """The turn of the job's shard of that number, counted from now."""
        return self._clock + (number + 1) * self._apart - 1


def first_shard(session: Session, job: int, kind: ShardKind) -> ShardRow:
    """A shard that a job puts into the queue alone."""
    turns = Turns(session, job)
    return ShardRow(
        job=job, kind=kind, state=ShardState.WAITING, format=FORMAT, priority=turns.priority, turn=turns.at(0)
    )


def _open_jobs(session: Session, tenant: str) -> int:
    """How many jobs of a tenant are open; the one that asks is."""
    counted = select(func.count()).where(JobRow.tenant == tenant, JobRow.state.in_(OPEN_STATES))
    return max(1, session.scalar(counted) or 0)


def _clock(session: Session, priority: int) -> int:
    """The latest turn claimed. Each is one look at the end of an index."""
    latest = (
        select(func.max(ShardRow.turn)).where(ShardRow.state == state, ShardRow.priority == priority)
        for state in (ShardState.RUNNING, ShardState.DONE)
    )
    return max(session.scalar(each) or 0 for each in latest)
