"""Enforces deadlines and retention: fails overdue jobs and jobs without work, and deletes expired data.

Any process can run this at any time. The rows of a deleted job are removed in many short transactions, so that a job
of a million images blocks nobody.
"""

import time

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from service.domain.job import OPEN_STATES, JobState
from service.domain.work import ShardState
from service.errors import DeadlineExceeded, WorkMissing
from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.postgres import allow_long_statements
from service.storage.shard_rows import end_job
from service.storage.tables.jobs import ImageRow, JobRow, ShardRow, ValueRow
from service.storage.tables.maps import KeptMapRow, KeptPictureRow

IMAGES_PER_BATCH = 2_000  # images whose rows are deleted in one transaction


class Retention:
    """Ends overdue jobs and deletes expired rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def fail_overdue(self) -> int:
        """Fail the open jobs whose deadline has passed. Returns their number."""
        overdue = select(JobRow.number).where(JobRow.state.in_(OPEN_STATES), JobRow.deadline_at <= NOW)
        with self._database.read() as session:
            found = session.scalars(overdue).all()
        return sum(self._fail_overdue(number) for number in found)

    def _fail_overdue(self, number: int) -> bool:
        with self._database.write() as session:
            row = session.get(JobRow, number, with_for_update=True)
            if row is None or row.deadline_at is None:
                return False
            error = DeadlineExceeded(seconds=row.deadline_at - row.created_at)
            return end_job(session, number, JobState.FAILED, {"type": error.kind, "detail": str(error)})

    def fail_without_work(self) -> int:
        """Fail the open jobs without a waiting or running shard, which nothing else ends. Returns their number."""
        with self._database.read() as session:
            found = session.scalars(select(JobRow.number).where(*_without_work())).all()
        return sum(self._fail_without_work(number) for number in found)

    def _fail_without_work(self, number: int) -> bool:
        """Fail a job that has no open shard. Its row is locked first, as it is when a shard is enqueued."""
        with self._database.write() as session:
            session.execute(select(JobRow.number).where(JobRow.number == number).with_for_update())
            if session.scalar(select(JobRow.number).where(JobRow.number == number, *_without_work())) is None:
                return False
            error = WorkMissing()
            return end_job(session, number, JobState.FAILED, {"type": error.kind, "detail": str(error)})

    def expire(self, jobs_seconds: float, keys_seconds: float) -> int:
        """Mark old jobs as deleted, free old idempotency keys, delete expired maps. Returns the number of jobs.

        A job is old `jobs_seconds` after its end, an idempotency key `keys_seconds` after its job was submitted.
        """
        old_jobs = update(JobRow).where(~JobRow.forgotten, JobRow.finished_at <= NOW - jobs_seconds)
        old_keys = update(JobRow).where(JobRow.idempotency_key.is_not(None), JobRow.created_at <= NOW - keys_seconds)
        with self._database.write() as session:
            for rows in (KeptMapRow, KeptPictureRow):
                session.execute(delete(rows).where(rows.until <= NOW))
            session.execute(old_keys.values(idempotency_key=None))
            result = session.execute(old_jobs.values(forgotten=True, idempotency_key=None, version=JobRow.version + 1))
            return int(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE's result is a CursorResult

    def purge(self, seconds: float) -> bool:
        """Remove rows of deleted jobs for about `seconds`. Returns True once no deleted job is left."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self._purge_batch():
                return True
        return False

    def _purge_batch(self) -> bool:
        """Remove rows of some images of a deleted job, or its last rows. Returns False if there is no deleted job."""
        with self._database.write() as session:
            allow_long_statements(session)
            chosen = select(JobRow.number).where(JobRow.forgotten).order_by(JobRow.finished_at).limit(1)
            number = session.scalar(chosen.with_for_update(skip_locked=True))
            if number is None:
                return False
            first = session.scalar(select(func.min(ImageRow.number)).where(ImageRow.job == number))
            if first is not None:
                _delete_below(session, number, first + IMAGES_PER_BATCH)
                return True
            # The foreign keys delete the rows of the job's shards, labels and results, too.
            session.execute(delete(JobRow).where(JobRow.number == number))
            return True


def _without_work() -> tuple[ColumnElement[bool], ...]:
    left = ShardRow.job == JobRow.number, ShardRow.state.in_((ShardState.WAITING, ShardState.RUNNING))
    return JobRow.state.in_(OPEN_STATES), ~select(ShardRow.id).where(*left).exists()


def _delete_below(session: Session, job: int, number: int) -> None:
    for rows in (ValueRow, KeptMapRow, KeptPictureRow):
        session.execute(delete(rows).where(rows.job == job, rows.image < number))
    session.execute(delete(ImageRow).where(ImageRow.job == job, ImageRow.number < number))
