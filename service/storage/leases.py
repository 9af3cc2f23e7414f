"""Leases on shards: a worker claims a shard, renews the lease while it works, and loses it when the lease expires.

Every change of ownership locks the row, so two workers never own one shard. A shard is requeued a limited number of
times for each cause (see LIMITS). Beyond that it is quarantined: its job fails and the error states the cause. Lease
times refer to the clock of the database.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.orm import Session

from service.domain.format import FORMAT, OLDEST_FORMAT
from service.domain.job import JobState
from service.domain.work import Shard, ShardKind, ShardState
from service.errors import DatabaseUnavailable, ShardLost
from service.net.backoff import exponential_delay
from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.shard_rows import count_passes, end_job, lock_if_owned
from service.storage.tables.jobs import JobRow, ShardRow

# A shard may crash its worker, or the whole embedded service. The service also restarts after a power failure or when
# its user kills it, so RESTARTS has the higher limit.
DEATHS, RESTARTS, TROUBLES = "deaths", "restarts", "troubles"
LIMITS: Mapping[str, int] = MappingProxyType({DEATHS: 3, RESTARTS: 10, TROUBLES: 6})
DESCRIPTIONS = {
    DEATHS: "killed its worker",
    RESTARTS: "was running when the service stopped unexpectedly",
    TROUBLES: "had a transient error",
}
INITIAL_DELAY, MAX_DELAY = 1.0, 60.0
# Postgres lacks statistics of rows that were just inserted, and would sort ten thousand waiting shards at each claim.
IN_INDEX_ORDER = text("SET LOCAL enable_sort = off")
EXPIRED = ShardRow.state == ShardState.RUNNING, ShardRow.lease_until <= NOW


@dataclass(frozen=True)
class LeaseStore:
    """Claims, renews and releases leases on shards."""

    database: Database
    formats: tuple[int, int] = (OLDEST_FORMAT, FORMAT)
    limits: Mapping[str, int] = field(default_factory=lambda: LIMITS)

    def claim(self, worker: str, lease_seconds: float) -> Shard | None:
        """Lease the waiting shard whose turn is next; None if no shard of a supported format waits."""
        first = (
            select(ShardRow)
            .where(ShardRow.state == ShardState.WAITING, ShardRow.not_before <= NOW)
            .where(ShardRow.format.between(*self.formats))
            .order_by(ShardRow.priority, ShardRow.turn, ShardRow.id)
            .limit(1)
        )
        with self.database.write() as session:
            if not self.database.is_sqlite:
                session.execute(IN_INDEX_ORDER)
            row = session.scalars(first.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            row.state, row.worker, row.attempt = ShardState.RUNNING, worker, row.attempt + 1
            row.lease_until = NOW + lease_seconds
            found = session.execute(select(JobRow.id, JobRow.state).where(JobRow.number == row.job)).one()
            shard = self._to_shard(row, found.id)
        if found.state == JobState.QUEUED:
            with suppress(DatabaseUnavailable):  # the shard is claimed; the next shard sets the job's state
                self._start(shard.job)
        return shard

    def _to_shard(self, row: ShardRow, job: str) -> Shard:
        last_try = row.troubles + 1 >= self.limits[TROUBLES]
        return Shard(
            row.id, job, ShardKind(row.kind), row.cohort, row.start, row.stop, row.attempt, row.worker or "", last_try
        )

    def _start(self, job: str) -> None:
        queued = update(JobRow).where(JobRow.id == job, JobRow.state == JobState.QUEUED)
        with self.database.write() as session:
            session.execute(queued.values(state=JobState.RUNNING, started_at=NOW, version=JobRow.version + 1))

    def claimable_count(self) -> int:
        """Return how many shards a worker of this version could claim now."""
        counted = select(func.count()).select_from(ShardRow).where(ShardRow.state == ShardState.WAITING)
        counted = counted.where(ShardRow.not_before <= NOW, ShardRow.format.between(*self.formats))
        with self.database.read() as session:
            return session.scalar(counted) or 0

    def renew(self, shard: Shard, lease_seconds: float, passes: int) -> bool:
        """Extend a lease and store the progress in passes. Returns False if the worker has lost the lease."""
        with self.database.write() as session:
            row = lock_if_owned(session, shard)
            if row is None:
                return False
            count_passes(session, row, passes)
            row.lease_until = NOW + lease_seconds
            return True

    def holds(self, shard: Shard) -> bool:
        """Whether the worker still holds the lease on a shard."""
        with self.database.read() as session:
            return lock_if_owned(session, shard) is not None

    def retry_later(self, shard: Shard, reason: str) -> float | None:
        """Requeue a shard after a transient error, with a delay that grows with each error.

        Returns the delay in seconds; None if the worker has lost the lease or the job has failed at its last attempt.
        """
        with self.database.write() as session:
            row = lock_if_owned(session, shard)
            return self._requeue(session, row, TROUBLES, reason) if row is not None else None

    def give_back(self, workers: list[str]) -> int:
        """Requeue the shards of workers that shut down, without counting a failure. Returns the number of shards."""
        held = select(ShardRow.id, ShardRow.job).where(
            ShardRow.state == ShardState.RUNNING, ShardRow.worker.in_(workers)
        )
        with self.database.read() as session:
            found = session.execute(held).all()
        return sum(self._give_back(shard, job, workers) for shard, job in found)

    def _give_back(self, shard: int, job: int, workers: list[str]) -> bool:
        with self.database.write() as session:
            row = _lock(session, shard, job)
            if row is None or row.state != ShardState.RUNNING or row.worker not in workers:
                return False
            _set_waiting(session, row)
            return True

    def release_all(self) -> None:
        """Requeue every running shard after a crash of the embedded service, whose workers died with it."""
        running = select(ShardRow.id, ShardRow.job).where(ShardRow.state == ShardState.RUNNING)
        with self.database.read() as session:
            found = session.execute(running).all()
        for shard, job in found:
            with self.database.write() as session:
                row = _lock(session, shard, job)
                if row is not None:
                    self._requeue(session, row, RESTARTS, "the service was killed")

    def release_expired(self) -> int:
        """Requeue the shards whose lease has expired. Returns the number of shards."""
        expired = select(ShardRow.id, ShardRow.job).where(*EXPIRED)
        with self.database.read() as session:
            found = session.execute(expired).all()
        return sum(self._release(shard, job) for shard, job in found)

    def _release(self, shard: int, job: int) -> bool:
        with self.database.write() as session:
            row = _lock(session, shard, job, *EXPIRED)
            if row is not None:
                self._requeue(session, row, DEATHS, "the worker died or stopped responding")
            return row is not None

    def next_expiry(self) -> float | None:
        """Return the seconds until the first lease expires; None if no shard is running."""
        first = select(func.min(ShardRow.lease_until) - NOW).where(ShardRow.state == ShardState.RUNNING)
        with self.database.read() as session:
            return session.scalar(first)

    def _requeue(self, session: Session, row: ShardRow, cause: str, reason: str) -> float | None:
        """Requeue a shard and return its delay in seconds; fail its job and return None at the limit of the cause."""
        times = getattr(row, cause) + 1
        setattr(row, cause, times)
        row.trouble = reason
        if times >= self.limits[cause]:
            lost = ShardLost(
                what=_name(row),
                did=DESCRIPTIONS[cause],
                times=times,
                worker=row.worker,
                reason=reason.removesuffix("."),
            )
            end_job(session, row.job, JobState.FAILED, {"type": lost.kind, "detail": str(lost)})
            return None
        delay = exponential_delay(times, INITIAL_DELAY, MAX_DELAY) if cause == TROUBLES else 0.0
        row.not_before = NOW + delay if delay else 0.0
        _set_waiting(session, row)
        return delay


def _lock(session: Session, shard: int, job: int, *conditions: ColumnElement[bool]) -> ShardRow | None:
    """Lock the rows of a job and its shard, and return the shard's row if it still meets the conditions."""
    session.execute(select(JobRow.number).where(JobRow.number == job).with_for_update())
    return session.scalars(select(ShardRow).where(ShardRow.id == shard, *conditions).with_for_update()).one_or_none()


def _set_waiting(session: Session, row: ShardRow) -> None:
    count_passes(session, row, 0)
    row.state, row.worker, row.lease_until = ShardState.WAITING, None, None


def _name(row: ShardRow) -> str:
    if row.kind == ShardKind.MEASURE:
        return f"The shard of images {row.start} to {row.stop - 1} (cohort {row.cohort})"
    if row.kind == ShardKind.LOOK:
        return "The interim look at the job"
    return f"The shard that should {row.kind} the job"
