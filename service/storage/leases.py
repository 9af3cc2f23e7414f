"""Leased work: claimed by one worker, renewed while it runs, given out again when its lease runs out.

A move is one conditional UPDATE, so that two workers never own one shard. A shard may be given out again a
number of times for each cause, its LIMITS; then it is quarantined: its job fails and says why. Leases run by the
database's clock.
"""

import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.orm import Session

from service.domain.job import FORMAT, OLDEST_FORMAT, JobState, Shard, ShardKind, ShardState
from service.errors import DatabaseUnavailable, ShardLost
from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.ending import end_job
from service.storage.shard_rows import count_passes, lock_if_owned
from service.storage.tables.jobs import JobRow, ShardRow

# A dead worker may have died of its shard. So may the whole embedded service, but there the user's own kills and a
# power cut look the same, so that it takes more of them.
DEATHS, RESTARTS, TROUBLES = "deaths", "restarts", "troubles"
LIMITS: Mapping[str, int] = MappingProxyType({DEATHS: 3, RESTARTS: 10, TROUBLES: 6})
DESCRIPTIONS = {
    DEATHS: "killed its worker",
    RESTARTS: "was under way when the service died",
    TROUBLES: "ran into trouble",
}
FIRST_PAUSE, MAX_PAUSE = 1.0, 60.0
# Postgres has no statistics yet of ten thousand shards that were put in just now, and would sort them for each claim.
IN_INDEX_ORDER = text("SET LOCAL enable_sort = off")
EXPIRED = ShardRow.state == ShardState.RUNNING, ShardRow.lease_until <= NOW


@dataclass(frozen=True)
class LeaseStore:
    """Who works on what."""

    database: Database
    formats: tuple[int, int] = (OLDEST_FORMAT, FORMAT)
    limits: Mapping[str, int] = field(default_factory=lambda: LIMITS)

    def claim(self, worker: str, lease_seconds: float) -> Shard | None:
        """Take the waiting shard whose turn it is, or None where nothing waits that this version understands."""
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
            shard = self._shard(row, found.id)
        if found.state == JobState.QUEUED:
            with suppress(DatabaseUnavailable):  # the shard is claimed; the job's next one starts it
                self._start(shard.job)
        return shard

    def _shard(self, row: ShardRow, job: str) -> Shard:
        last_try = row.troubles + 1 >= self.limits[TROUBLES]
        return Shard(
            row.id, job, ShardKind(row.kind), row.cohort, row.start, row.stop, row.attempt, row.worker or "", last_try
        )

    def _start(self, job: str) -> None:
        queued = update(JobRow).where(JobRow.id == job, JobRow.state == JobState.QUEUED)
        with self.database.write() as session:
            session.execute(queued.values(state=JobState.RUNNING, started_at=NOW, version=JobRow.version + 1))

    def claimable_count(self) -> int:
        """How many shards wait for a worker of this version, those left out that pause."""
        counted = select(func.count()).select_from(ShardRow).where(ShardRow.state == ShardState.WAITING)
        counted = counted.where(ShardRow.not_before <= NOW, ShardRow.format.between(*self.formats))
        with self.database.read() as session:
            return session.scalar(counted) or 0

    def other_version_count(self) -> int:
        """How many shards wait for workers of another version."""
        counted = select(func.count()).select_from(ShardRow).where(ShardRow.state == ShardState.WAITING)
        with self.database.read() as session:
            return session.scalar(counted.where(~ShardRow.format.between(*self.formats))) or 0

    def renew(self, shard: Shard, lease_seconds: float, passes: int) -> bool:
        """Extend a lease and note progress. False: the shard is no longer this worker's."""
        with self.database.write() as session:
            row = lock_if_owned(session, shard)
            if row is None:
                return False
            count_passes(session, row, passes)
            row.lease_until = NOW + lease_seconds
            return True

    def holds(self, shard: Shard) -> bool:
        """Whether a shard is still its worker's."""
        with self.database.read() as session:
            return lock_if_owned(session, shard) is not None

    def retry_later(self, shard: Shard, reason: str) -> float | None:
        """Let a shard that ran into trouble be tried again after a pause, longer each time.

        Returns the pause in seconds; None where the shard is no longer this worker's, or was given up.
        """
        with self.database.write() as session:
            row = lock_if_owned(session, shard)
            return self._requeue(session, row, TROUBLES, reason) if row is not None else None

    def give_back(self, workers: list[str]) -> int:
        """Let others do what these workers hold, who stop: nobody's fault, so nothing is counted. Returns how many."""
        held = select(ShardRow.id, ShardRow.job).where(
            ShardRow.state == ShardState.RUNNING, ShardRow.worker.in_(workers)
        )
        with self.database.read() as session:
            found = session.execute(held).all()
        return sum(self._return(shard, job, workers) for shard, job in found)

    def _return(self, shard: int, job: int, workers: list[str]) -> bool:
        with self.database.write() as session:
            row = _locked(session, shard, job)
            mine = row is not None and row.state == ShardState.RUNNING and row.worker in workers
            if row is not None and mine:
                _wait(session, row)
            return mine

    def release_all(self) -> None:
        """Give out every running shard again: the service has died, and no worker is left that had one."""
        running = select(ShardRow.id, ShardRow.job).where(ShardRow.state == ShardState.RUNNING)
        with self.database.read() as session:
            found = session.execute(running).all()
        for shard, job in found:
            with self.database.write() as session:
                row = _locked(session, shard, job)
                if row is not None:
                    self._requeue(session, row, RESTARTS, "the service was killed")

    def release_expired(self) -> int:
        """Give out the shards again whose lease has run out. Returns how many."""
        late = select(ShardRow.id, ShardRow.job).where(*EXPIRED)
        with self.database.read() as session:
            found = session.execute(late).all()
        return sum(self._release(shard, job) for shard, job in found)

    def _release(self, shard: int, job: int) -> bool:
        with self.database.write() as session:
            row = _locked(session, shard, job, *EXPIRED)
            if row is not None:
                self._requeue(session, row, DEATHS, "it died or stopped answering")
            return row is not None

    def next_expiry(self) -> float | None:
        """In how many seconds the first of the running leases runs out."""
        first = select(func.min(ShardRow.lease_until) - NOW).where(ShardRow.state == ShardState.RUNNING)
        with self.database.read() as session:
            return session.scalar(first)

    def _requeue(self, session: Session, row: ShardRow, cause: str, reason: str) -> float | None:
        """One more shard for whoever comes, after a pause. None: it has been given out often enough."""
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
        pause = _pause(times) if cause == TROUBLES else 0.0
        row.not_before = NOW + pause if pause else 0.0
        _wait(session, row)
        return pause


def _locked(session: Session, shard: int, job: int, *still: ColumnElement[bool]) -> ShardRow | None:
    session.execute(select(JobRow.number).where(JobRow.number == job).with_for_update())
    return session.scalars(select(ShardRow).where(ShardRow.id == shard, *still).with_for_update()).one_or_none()


def _wait(session: Session, row: ShardRow) -> None:
    count_passes(session, row, 0)
    row.state, row.worker, row.lease_until = ShardState.WAITING, None, None


def _pause(times: int) -> float:
    """Twice as long each time, and up to half of it by chance, so that those who met one trouble part."""
    longest = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** (times - 1))
    return longest * random.uniform(0.5, 1.0)


def _name(row: ShardRow) -> str:
    if row.kind == ShardKind.MEASURE:
        return f"The shard of images {row.start} to {row.stop - 1} (cohort {row.cohort})"
    if row.kind == ShardKind.LOOK:
        return "The look at the job's numbers so far"
    return f"The shard that is to {row.kind} the job"
