"""Fair order of shards within a priority: jobs alternate, and so do tenants.

The turn of a shard is fixed when it is enqueued, as in start-time fair queueing (Goyal et al. 1996). The clock is the
latest turn that was claimed, and the shards of a job get turns at a distance of 1, starting at the clock. If a job
arrives while ten thousand shards of another job wait, its plan, first slice and summary therefore come next, and from
its second slice on the two jobs alternate. Jobs of one tenant share its turns: with n open jobs, the distance is n.
The slices of a job come after those of the tenant's job that ended last, so a tenant that keeps posting small jobs
cannot starve a tenant with a large job.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.domain.format import FORMAT
from service.domain.job import OPEN_STATES
from service.domain.work import ShardKind, ShardState
from service.storage.tables.jobs import JobRow, ShardRow


class TurnAllocator:
    """Computes the turns (queue positions) of the shards that a job enqueues now: `at(0)` of the first, and so on."""

    def __init__(self, session: Session, job: int, *, slices: bool = False) -> None:
        row = session.execute(select(JobRow.tenant, JobRow.priority).where(JobRow.number == job)).one()
        self.priority: int = row.priority
        self._distance = _open_jobs(session, row.tenant) if row.tenant else 1
        self._first = _clock(session, row.priority) + self._distance - 1
        if slices:
            self._first = max(self._first, _last_slice(session, row.tenant, row.priority) + 1)

    def at(self, number: int) -> int:
        """Return the turn of the job's n-th shard from now, starting at 0."""
        return self._first + number * self._distance


def single_shard(session: Session, job: int, kind: ShardKind) -> ShardRow:
    """Create a single waiting shard of a job; the caller adds it to the session."""
    turns = TurnAllocator(session, job)
    return ShardRow(
        job=job, kind=kind, state=ShardState.WAITING, format=FORMAT, priority=turns.priority, turn=turns.at(0)
    )


def _open_jobs(session: Session, tenant: str) -> int:
    """Return how many jobs of a tenant are open, at least 1."""
    counted = select(func.count()).where(JobRow.tenant == tenant, JobRow.state.in_(OPEN_STATES))
    return max(1, session.scalar(counted) or 0)


def _clock(session: Session, priority: int) -> int:
    """Return the latest turn that was claimed. Each query reads only the end of an index."""
    latest = (
        select(func.max(ShardRow.turn)).where(ShardRow.state == state, ShardRow.priority == priority)
        for state in (ShardState.RUNNING, ShardState.DONE)
    )
    return max(session.scalar(each) or 0 for each in latest)


def _last_slice(session: Session, tenant: str, priority: int) -> int:
    """Return the latest turn of a measured slice of the tenant's newest ended job, or 0 if there is none."""
    ended = select(JobRow.number).where(
        JobRow.tenant == tenant, JobRow.priority == priority, JobRow.state.not_in(OPEN_STATES)
    )
    newest = session.scalar(ended.order_by(JobRow.number.desc()).limit(1))
    turns = select(func.max(ShardRow.turn)).where(ShardRow.job == newest, ShardRow.kind == ShardKind.MEASURE)
    return session.scalar(turns) or 0
