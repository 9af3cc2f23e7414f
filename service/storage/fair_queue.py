"""Whose work comes next: shards of a priority take turns by job, and by tenant where jobs have one.

A shard's turn is fixed when it is put into the queue, as start-time fair queueing does (Goyal et al. 1996): the clock
is the latest turn that was claimed; a job's shards stand one turn apart, from the clock on. So a job that comes while
ten thousand shards of another wait has its plan, its first slice and its summary done before the next of them, and
from its second slice on they alternate. A tenant's jobs share its turns: with n of them open, a job's shards stand
n turns apart. The slices of a job stand after those of the one of its tenant that ended last, so that some who post one
small job after the other do not have every turn: such a job waits for one shard of each who is as far as it.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.domain.job import FORMAT, OPEN_STATES, ShardKind, ShardState
from service.storage.tables.jobs import JobRow, ShardRow


class TurnAllocator:
    """The turns of shards that a job puts into the queue now: `at(0)`, `at(1)`, ..."""

    def __init__(self, session: Session, job: int, *, slices: bool = False) -> None:
        row = session.execute(select(JobRow.tenant, JobRow.priority).where(JobRow.number == job)).one()
        self.priority: int = row.priority
        self._apart = _open_jobs(session, row.tenant) if row.tenant else 1
        self._first = _clock(session, row.priority) + self._apart - 1
        if slices:
            self._first = max(self._first, _last_slice(session, row.tenant, row.priority) + 1)

    def at(self, number: int) -> int:
        """The turn of the job's shard of that number, counted from now."""
        return self._first + number * self._apart


def single_shard(session: Session, job: int, kind: ShardKind) -> ShardRow:
    """A shard that a job puts into the queue alone."""
    turns = TurnAllocator(session, job)
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


def _last_slice(session: Session, tenant: str, priority: int) -> int:
    """The latest turn that a slice had of the newest of a tenant's ended jobs; what those left undone is gone."""
    ended = select(JobRow.number).where(
        JobRow.tenant == tenant, JobRow.priority == priority, JobRow.state.not_in(OPEN_STATES)
    )
    newest = session.scalar(ended.order_by(JobRow.number.desc()).limit(1))
    turns = select(func.max(ShardRow.turn)).where(ShardRow.job == newest, ShardRow.kind == ShardKind.MEASURE)
    return session.scalar(turns) or 0
