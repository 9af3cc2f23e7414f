"""Looks at a job's numbers while it runs: when one is due, what it saw, and the end of a job that is decided by it.

A look is a shard like others: leased, given out again, counted once. A job has one at a time. Of a job that stops
when it is decided, looks are at its first images, so many at a time as looks.py says, each once all slices of them
are recorded; so that the look that ends it is the same whoever measured what in which order. Other jobs are looked at
for those who watch, at all that there is, and no more often than a small share of a worker's time allows.
"""

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from service.domain.job import Shard, ShardKind, ShardState
from service.spec.model import Json
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.fair_queue import single_shard
from service.storage.looks import next_interim_look
from service.storage.shard_rows import lock_owned
from service.storage.tables.jobs import JobRow, ShardRow

MIN_SECONDS_BETWEEN = 10.0  # seconds between looks for those who watch
MAX_TIME_FACTOR = 49  # and so many times as long as the last one took


class InterimStore:
    """What is kept of looks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, shard: Shard, so_far: Json, decided: bool, seconds: float) -> bool:
        """Store what a look saw, which took so long; a job that is decided by it, or seen whole, has its summary next.

        True: there is new work. Raises LeaseLost.
        """
        with self._database.write() as session:
            row = lock_owned(session, shard)
            job, images = row.job, row.stop
            session.delete(row)
            session.flush()
            pause = max(MIN_SECONDS_BETWEEN, MAX_TIME_FACTOR * seconds)
            noted = {"so_far": so_far, "look_after": NOW + pause, "looked": images}
            noting = update(JobRow).where(JobRow.number == job).values(**noted, version=JobRow.version + 1)
            total, left = session.execute(noting.returning(JobRow.images_total, JobRow.slices_left)).one()
            if images and (decided or images == total):
                _stop_early(session, job, images)
                session.add(single_shard(session, job, ShardKind.SUMMARISE))
                return True
            return enqueue_next(session, job, left)


def enqueue_next(session: Session, job: int, left: int | None) -> bool:
    """Put the look or the summary into the queue that is due now, with so many slices left. True: there is one.

    The job's row is locked.
    """
    stops, looked, total, after = session.execute(
        select(JobRow.spec["stop"].as_string(), JobRow.looked, JobRow.images_total, JobRow.look_after)
        .where(JobRow.number == job)
    ).one()  # fmt: skip
    if stops is None:
        if left == 0:
            session.execute(delete(ShardRow).where(*_interim_shards(job)))
            session.add(single_shard(session, job, ShardKind.SUMMARISE))
            return True
        due = 0 if after is not None and after <= moment(session) else None
    else:
        images = next_interim_look(looked, total)
        due = images if looked < images and not _is_incomplete(session, job, images) else None
    if due is None or session.scalar(select(func.count()).select_from(ShardRow).where(*_interim_shards(job))):
        return False
    shard = single_shard(session, job, ShardKind.LOOK)
    shard.stop = due
    session.add(shard)
    return True


def _interim_shards(job: int) -> tuple[ColumnElement[bool], ...]:
    return ShardRow.job == job, ShardRow.kind == ShardKind.LOOK


def _is_incomplete(session: Session, job: int, images: int) -> bool:
    """Whether some slice of a job's first images is still to be measured."""
    slices = select(ShardRow.id).where(ShardRow.job == job, ShardRow.kind == ShardKind.MEASURE)
    left = slices.where(ShardRow.start < images, ShardRow.state != ShardState.DONE)
    return session.scalar(left.limit(1)) is not None


def _stop_early(session: Session, job: int, images: int) -> None:
    """Have a job's results be of its first images; whoever measures others learns that it is in vain."""
    beyond = delete(ShardRow).where(ShardRow.job == job, ShardRow.kind == ShardKind.MEASURE, ShardRow.start >= images)
    session.execute(beyond)
    stopped = update(JobRow).where(JobRow.number == job, JobRow.images_total > images)
    spent = JobRow.passes_done + JobRow.passes_reused
    session.execute(stopped.values(stopped_at=images, slices_left=0, passes_total=spent))
