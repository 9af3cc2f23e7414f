"""Stores the results of shards: a worker's result counts once, and only while the worker holds the lease.

The values that a shard measured are stored in the transaction that ends the shard.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import String, Text, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

from service.domain.format import FORMAT
from service.domain.job import Image, JobState
from service.domain.work import Plan, Shard, ShardKind, ShardResult, ShardState, Slice, Values
from service.spec.model import Json
from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.fair_queue import TurnAllocator
from service.storage.interim import MIN_SECONDS_BETWEEN, enqueue_next
from service.storage.maps import add_class_sums, add_map_sums
from service.storage.postgres import allow_long_statements
from service.storage.shard_rows import count_passes, end_job, finish_shard, lock_if_owned, lock_owned
from service.storage.tables.jobs import ImageRow, JobRow, ShardRow, SummaryRow, ValueRow

PAGE_SIZE = 1000

RowValues = Iterable[Sequence[object]]


class ShardStore:
    """Stores plans, measured values and results of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def delete_images(self, shard: Shard) -> None:
        """Delete the images that an earlier attempt at the plan stored. Raises LeaseLost."""
        with self._database.write() as session:
            allow_long_statements(session)
            session.execute(delete(ImageRow).where(ImageRow.job == lock_owned(session, shard).job))

    def record_images(self, shard: Shard, images: Sequence[Image]) -> None:
        """Store some of a job's images, in any order. Storing the same images again has no effect. Raises LeaseLost."""
        with self._database.write() as session:
            job = lock_owned(session, shard).job
            if session.get(ImageRow, (job, images[0].number)) is not None:
                return  # an earlier commit succeeded but its confirmation was lost
            rows = ((job, *image[:5], json.dumps(image.groups) if image.groups else None) for image in images)
            bulk_insert(session, ImageRow, ("job", "number", "name", "label", "path", "human", "group_values"), rows)

    def record_plan(self, shard: Shard, plan: Plan) -> int:
        """Store the plan of a job whose images are stored. Returns the number of slices. Raises LeaseLost."""
        with self._database.write() as session:
            row = finish_shard(session, shard)
            turns, count = TurnAllocator(session, row.job, slices=True), 0
            for page in _pages(plan.slices):
                session.execute(insert(ShardRow), [_slice(row.job, each, turns, count + n) for n, each in page])
                count += len(page)
            session.execute(
                update(JobRow)
                .where(JobRow.number == row.job)
                .values(
                    images_total=plan.images, passes_total=plan.passes, slices_left=count,
                    plan=dict(plan.facts), version=JobRow.version + 1, look_after=NOW + MIN_SECONDS_BETWEEN,
                )
            )  # fmt: skip
            return count

    def record_values(self, shard: Shard, result: ShardResult) -> bool:
        """Store the values of a slice. Returns whether an interim look or the summary is enqueued. Raises LeaseLost."""
        with self._database.write() as session:
            row = finish_shard(session, shard)
            count_passes(session, row, result.passes)
            row.device = result.device
            # The job's row is locked, so if the last two slices end together, the second sees the values of the first.
            left = session.scalar(
                update(JobRow)
                .where(JobRow.number == row.job)
                .values(slices_left=JobRow.slices_left - 1, passes_reused=JobRow.passes_reused + result.reused)
                .returning(JobRow.slices_left)
            )
            _update_images(session, row.job, result.images)
            add_map_sums(session, row.job, result.map_sums)
            add_class_sums(session, row.job, result.class_sums)
            _insert_values(session, row.job, result.values)
            return enqueue_next(session, row.job, left)

    def record_summary(self, shard: Shard, document: str, verdict: Json | None = None) -> None:
        """Store the results and the verdict of the job's gate, and end the job. Raises LeaseLost."""
        with self._database.write() as session:
            row = finish_shard(session, shard)
            session.add(SummaryRow(job=row.job, document=document))
            session.execute(update(JobRow).where(JobRow.number == row.job).values(verdict=verdict))
            end_job(session, row.job, JobState.SUCCEEDED, None)

    def fail(self, shard: Shard, error: Mapping[str, object]) -> bool:
        """Fail the shard's job with an error. Returns False if the worker has lost the lease."""
        with self._database.write() as session:
            row = lock_if_owned(session, shard)
            return row is not None and end_job(session, row.job, JobState.FAILED, dict(error))

    def devices(self, job: str) -> list[str]:
        """Return the devices that computed the job's values, sorted by name."""
        with self._database.read() as session:
            chosen = select(ShardRow.device).join(JobRow).where(JobRow.id == job, ShardRow.device.is_not(None))
            return sorted({str(device) for device in session.scalars(chosen.distinct())})


def _insert_values(session: Session, job: int, values: Collection[Values]) -> None:
    rows = [
        {"job": job, "image": v.image, "cohort": v.cohort, "run": v.run, "data": v.data, "key": v.key} for v in values
    ]
    if rows:
        session.execute(insert(ValueRow), rows)


def _pages(slices: Collection[Slice]) -> Iterator[list[tuple[int, Slice]]]:
    """Yield pages of (position in the page, slice), to limit the use of memory and the size of a statement."""
    remaining = iter(slices)
    while page := list(islice(remaining, PAGE_SIZE)):
        yield list(enumerate(page))


def _slice(job: int, each: Slice, turns: TurnAllocator, number: int) -> dict[str, Any]:
    return {
        "job": job, "kind": ShardKind.MEASURE, "state": ShardState.WAITING, "cohort": each.cohort,
        "start": each.start, "stop": each.stop, "format": FORMAT, "priority": turns.priority, "turn": turns.at(number),
    }  # fmt: skip


def _update_images(session: Session, job: int, images: Sequence[Image]) -> None:
    """Store the digest of each image and the reason why it was skipped, unless another cohort's shard stored them."""
    changed = (
        update(ImageRow.__table__)  # type: ignore[arg-type]  # bypasses the ORM to update many rows in one statement
        .where(ImageRow.job == job, ImageRow.number == bindparam("image"))
        .values(
            sha256=func.coalesce(ImageRow.sha256, bindparam("digest", type_=String)),
            skipped=func.coalesce(ImageRow.skipped, bindparam("reason", type_=Text)),
        )
    )
    if images:
        rows = [{"image": each.number, "digest": each.sha256, "reason": each.skipped} for each in images]
        session.connection().execute(changed, rows)


def bulk_insert(session: Session, kind: type[DeclarativeBase], columns: Sequence[str], rows: RowValues) -> None:
    """Insert many rows in the session's transaction. Raises OperationalError as other statements do.

    On Postgres it uses COPY, which takes a third of the time of INSERT.
    """
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        connection.execute(insert(kind), [dict(zip(columns, row, strict=True)) for row in rows])
        return
    allow_long_statements(session)
    driver = connection.connection.driver_connection
    assert driver is not None
    names = ", ".join(f'"{name}"' for name in columns)
    copy = f'COPY "{kind.__tablename__}" ({names}) FROM STDIN'
    try:
        with driver.cursor() as cursor, cursor.copy(copy) as copying:
            for row in rows:
                copying.write_row(row)
    except connection.dialect.loaded_dbapi.OperationalError as error:  # callers know the errors of SQLAlchemy only
        raise OperationalError(copy, None, error) from error
