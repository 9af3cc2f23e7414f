"""A job's work as it is recorded: what a worker hands in counts only while it owns the shard, and once.

A shard's numbers are stored in one transaction with the shard's end.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import String, Text, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from service.domain.job import FORMAT, Image, JobState, Plan, Shard, ShardKind, ShardResult, ShardState, Slice
from service.spec.model import Json
from service.storage.bulk import bulk_insert
from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.ending import end_job
from service.storage.fair_queue import TurnAllocator
from service.storage.interim import MIN_SECONDS_BETWEEN, enqueue_next
from service.storage.map_sums import add_class_sums, add_map_sums
from service.storage.postgres import allow_long_statements
from service.storage.shard_rows import count_passes, finish_shard, lock_if_owned, lock_owned
from service.storage.tables.jobs import ImageRow, JobRow, ShardRow, SummaryRow, ValueRow

PAGE_SIZE = 1000


class ShardStore:
    """What is kept of a job's work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def delete_images(self, shard: Shard) -> None:
        """Drop what a planner before this one listed. Raises LeaseLost."""
        with self._database.write() as session:
            allow_long_statements(session)
            session.execute(delete(ImageRow).where(ImageRow.job == lock_owned(session, shard).job))

    def record_images(self, shard: Shard, images: Sequence[Image]) -> None:
        """Store some of a job's pictures, in any order; the same ones again change nothing. Raises LeaseLost."""
        with self._database.write() as session:
            job = lock_owned(session, shard).job
            if session.get(ImageRow, (job, images[0].number)) is not None:
                return  # they were stored in one transaction, whose answer was lost
            rows = ((job, *image[:5]) for image in images)
            bulk_insert(session, ImageRow, ("job", "number", "name", "label", "path", "human"), rows)

    def record_plan(self, shard: Shard, plan: Plan) -> int:
        """Store the slices of a job whose pictures are stored. Returns how many. Raises LeaseLost."""
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
        """Store a slice's numbers, once. True: by them a look or the summary has come to wait. Raises LeaseLost."""
        with self._database.write() as session:
            row = finish_shard(session, shard)
            count_passes(session, row, result.passes)
            row.device = result.device
            # The job's row is locked: of two last slices, the second sees what the first stored.
            left = session.scalar(
                update(JobRow)
                .where(JobRow.number == row.job)
                .values(slices_left=JobRow.slices_left - 1, passes_reused=JobRow.passes_reused + result.reused)
                .returning(JobRow.slices_left)
            )
            _note_images(session, row.job, result.images)
            add_map_sums(session, row.job, result.map_sums)
            add_class_sums(session, row.job, result.class_sums)
            if result.values:
                session.execute(
                    insert(ValueRow),
                    [
                        {
                            "job": row.job,
                            "image": v.image,
                            "cohort": v.cohort,
                            "run": v.run,
                            "data": v.data,
                            "key": v.key,
                        }
                        for v in result.values
                    ],
                )
            return enqueue_next(session, row.job, left)

    def record_summary(self, shard: Shard, document: str, verdict: Json | None = None) -> None:
        """Store the results and what the job's gate says of them, and end the job. Raises LeaseLost."""
        with self._database.write() as session:
            row = finish_shard(session, shard)
            session.add(SummaryRow(job=row.job, document=document))
            session.execute(update(JobRow).where(JobRow.number == row.job).values(verdict=verdict))
            end_job(session, row.job, JobState.SUCCEEDED, None)

    def fail(self, shard: Shard, error: Mapping[str, object]) -> bool:
        """End the shard's job with a reason. False: the shard was no longer this worker's."""
        with self._database.write() as session:
            row = lock_if_owned(session, shard)
            return row is not None and end_job(session, row.job, JobState.FAILED, dict(error))

    def devices(self, job: str) -> list[str]:
        """What the job's numbers were computed on."""
        with self._database.read() as session:
            chosen = select(ShardRow.device).join(JobRow).where(JobRow.id == job, ShardRow.device.is_not(None))
            return sorted({str(device) for device in session.scalars(chosen.distinct())})

    def waiting_count(self) -> int:
        """How many shards wait for a worker."""
        counted = select(func.count()).select_from(ShardRow).where(ShardRow.state == ShardState.WAITING)
        with self._database.read() as session:
            return session.scalar(counted) or 0


def _pages(slices: Collection[Slice]) -> Iterator[list[tuple[int, Slice]]]:
    """Slices, numbered in each page; only so many are in memory, and in a statement."""
    left = iter(slices)
    while page := list(islice(left, PAGE_SIZE)):
        yield list(enumerate(page))


def _slice(job: int, each: Slice, turns: TurnAllocator, number: int) -> dict[str, Any]:
    return {
        "job": job, "kind": ShardKind.MEASURE, "state": ShardState.WAITING, "cohort": each.cohort,
        "start": each.start, "stop": each.stop, "format": FORMAT, "priority": turns.priority, "turn": turns.at(number),
    }  # fmt: skip


def _note_images(session: Session, job: int, images: Sequence[Image]) -> None:
    """Note what reading pictures told: the first digest, and the first reason why a cohort skipped one."""
    noting = (
        update(ImageRow.__table__)  # type: ignore[arg-type]  # not as the ORM would, so that many go in one statement
        .where(ImageRow.job == job, ImageRow.number == bindparam("image"))
        .values(
            sha256=func.coalesce(ImageRow.sha256, bindparam("digest", type_=String)),
            skipped=func.coalesce(ImageRow.skipped, bindparam("why", type_=Text)),
        )
    )
    if images:
        rows = [{"image": each.number, "digest": each.sha256, "why": each.skipped} for each in images]
        session.connection().execute(noting, rows)
