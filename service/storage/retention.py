"""What ends or goes by the clock: deadlines, idempotency keys, old jobs, the rows of forgotten ones. And open jobs
that no work is left of.

Any process may look, at any time. A forgotten job's rows go in many short transactions, so that a job of a million
pictures keeps nobody waiting.
"""

import time

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from service.domain.job import OPEN_STATES, JobState, ShardState
from service.errors import DeadlineExceeded, WorkMissing
from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.ending import end_job
from service.storage.tables.jobs import ImageRow, JobRow, ShardRow, ValueRow
from service.storage.tables.maps import KeptMapRow, KeptPictureRow

IMAGES_PER_BATCH = 2_000  # whose rows go in one transaction


class Retention:
    """What is kept, and for how long."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def fail_overdue(self) -> int:
        """Fail the open jobs whose deadline has passed. Returns how many."""
        overdue = select(JobRow.number).where(JobRow.state.in_(OPEN_STATES), JobRow.deadline_at <= NOW)
        with self._database.read() as session:
            found = session.scalars(overdue).all()
        return sum(self._end(number) for number in found)

    def _end(self, number: int) -> bool:
        with self._database.write() as session:
            row = session.get(JobRow, number, with_for_update=True)
            if row is None or row.deadline_at is None:
                return False
            late = DeadlineExceeded(seconds=row.deadline_at - row.created_at)
            return end_job(session, number, JobState.FAILED, {"type": late.kind, "detail": str(late)})

    def end_without_work(self) -> int:
        """Fail the open jobs of which no shard waits or runs, as nothing would end them. Returns how many."""
        with self._database.read() as session:
            found = session.scalars(select(JobRow.number).where(*_without_work())).all()
        return sum(self._end_without_work(number) for number in found)

    def _end_without_work(self, number: int) -> bool:
        """End a job that has no shard. Its row is locked first, since it is locked as the next shard is queued, too."""
        with self._database.write() as session:
            session.execute(select(JobRow.number).where(JobRow.number == number).with_for_update())
            if session.scalar(select(JobRow.number).where(JobRow.number == number, *_without_work())) is None:
                return False
            missing = WorkMissing()
            return end_job(session, number, JobState.FAILED, {"type": missing.kind, "detail": str(missing)})

    def expire(self, jobs_seconds: float, keys_seconds: float) -> int:
        """Forget jobs that ended so long ago, keys that were sent so long ago, and maps that were made on demand.

        Returns how many jobs.
        """
        old = update(JobRow).where(~JobRow.forgotten, JobRow.finished_at <= NOW - jobs_seconds)
        stale = update(JobRow).where(JobRow.idempotency_key.is_not(None), JobRow.created_at <= NOW - keys_seconds)
        with self._database.write() as session:
            for kept in (KeptMapRow, KeptPictureRow):
                session.execute(delete(kept).where(kept.until <= NOW))
            session.execute(stale.values(idempotency_key=None))
            forgotten = session.execute(old.values(forgotten=True, idempotency_key=None, version=JobRow.version + 1))
            return int(forgotten.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult

    def purge(self, seconds: float) -> bool:
        """Delete rows of forgotten jobs for about so many seconds. True: none is left."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self._purge_batch():
                return True
        return False

    def _purge_batch(self) -> bool:
        """Delete the rows of some pictures of a forgotten job, and at last the job. False: there is none."""
        with self._database.write() as session:
            chosen = select(JobRow.number).where(JobRow.forgotten).order_by(JobRow.finished_at).limit(1)
            number = session.scalar(chosen.with_for_update(skip_locked=True))
            if number is None:
                return False
            least = session.scalar(select(func.min(ImageRow.number)).where(ImageRow.job == number))
            if least is not None:
                _delete_below(session, number, least + IMAGES_PER_BATCH)
                return True
            # Its shards, labels and summary go with it.
            session.execute(delete(JobRow).where(JobRow.number == number))
            return True


def _without_work() -> tuple[ColumnElement[bool], ...]:
    left = ShardRow.job == JobRow.number, ShardRow.state.in_((ShardState.WAITING, ShardState.RUNNING))
    return JobRow.state.in_(OPEN_STATES), ~select(ShardRow.id).where(*left).exists()


def _delete_below(session: Session, job: int, number: int) -> None:
    for rows in (ValueRow, KeptMapRow, KeptPictureRow):
        session.execute(delete(rows).where(rows.job == job, rows.image < number))
    session.execute(delete(ImageRow).where(ImageRow.job == job, ImageRow.number < number))
