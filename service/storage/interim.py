"""Interim looks at a running job: schedules them, stores their results, and stops a job whose gate is decided.

A look is a shard like others: it is leased, requeued when its lease expires, and recorded once. A job has at most one
look at a time. If a job stops early (`stop: when-decided`), each look covers a fixed number of its first images, in
their seeded order, and waits until all of them are measured. The look that stops the job is therefore the same whatever
the order in which workers measure the shards. For other jobs a look serves people who watch the job: it covers
everything measured so far, and runs rarely enough to take only a small share of a worker's time.
"""

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from service.domain.work import Shard, ShardKind, ShardState
from service.spec.model import Json
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.fair_queue import single_shard
from service.storage.shard_rows import lock_owned
from service.storage.tables.jobs import JobRow, ShardRow

MIN_SECONDS_BETWEEN = 10.0  # minimum pause between looks of a job that does not stop early
MAX_TIME_FACTOR = 49  # the pause is also at least this many times the duration of the last look
MIN_STEP = 32  # images between the first looks of a job that may stop early
STEPS_PER_DOUBLING = 16  # a later look is due when the number of images has grown by a sixteenth since the last look


def next_interim_look(seen: int, total: int) -> int:
    """Return after how many of `total` images the next look is due; the last look covered `seen` images."""
    step = max(1, seen // (STEPS_PER_DOUBLING * MIN_STEP)) * MIN_STEP
    return min(total, seen + step)


class InterimStore:
    """Stores the results of interim looks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, shard: Shard, so_far: Json, decided: bool, seconds: float) -> bool:
        """Store the result of a look that took `seconds`, and enqueue what follows: the summary or the next look.

        The summary follows if the look decided the gate or covered all images. Returns whether a shard was enqueued.
        Raises LeaseLost.
        """
        with self._database.write() as session:
            row = lock_owned(session, shard)
            job, images = row.job, row.stop
            session.delete(row)
            session.flush()
            pause = max(MIN_SECONDS_BETWEEN, MAX_TIME_FACTOR * seconds)
            changes = {"so_far": so_far, "look_after": NOW + pause, "looked": images}
            changed = update(JobRow).where(JobRow.number == job).values(**changes, version=JobRow.version + 1)
            total, left = session.execute(changed.returning(JobRow.images_total, JobRow.slices_left)).one()
            if images and (decided or images == total):
                _stop_early(session, job, images)
                session.add(single_shard(session, job, ShardKind.SUMMARISE))
                return True
            return enqueue_next(session, job, left)


def enqueue_next(session: Session, job: int, left: int | None) -> bool:
    """Enqueue the look or the summary that is due, if any; `left` slices are not measured yet.

    The caller has locked the job's row. Returns whether a shard was enqueued.
    """
    stop, looked, total, not_before = session.execute(
        select(JobRow.spec["stop"].as_string(), JobRow.looked, JobRow.images_total, JobRow.look_after)
        .where(JobRow.number == job)
    ).one()  # fmt: skip
    if stop is None:
        if left == 0:
            session.execute(delete(ShardRow).where(*_interim_shards(job)))
            session.add(single_shard(session, job, ShardKind.SUMMARISE))
            return True
        due = 0 if not_before is not None and not_before <= moment(session) else None
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
    """Whether a slice of a job's first images is not measured yet."""
    slices = select(ShardRow.id).where(ShardRow.job == job, ShardRow.kind == ShardKind.MEASURE)
    left = slices.where(ShardRow.start < images, ShardRow.state != ShardState.DONE)
    return session.scalar(left.limit(1)) is not None


def _stop_early(session: Session, job: int, images: int) -> None:
    """Limit a job to its first images. Workers that measure later ones lose their shards."""
    later_slices = delete(ShardRow).where(
        ShardRow.job == job, ShardRow.kind == ShardKind.MEASURE, ShardRow.start >= images
    )
    session.execute(later_slices)
    unfinished = update(JobRow).where(JobRow.number == job, JobRow.images_total > images)
    passes = JobRow.passes_done + JobRow.passes_reused
    session.execute(unfinished.values(stopped_at=images, slices_left=0, passes_total=passes))
