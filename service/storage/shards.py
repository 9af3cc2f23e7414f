"""Leased work: claimed by one worker, renewed while it runs, given out again when its lease runs out.

A move is one conditional UPDATE, so that two workers never own one shard; what a worker hands in
counts only while it owns the shard, and is stored in one transaction with the shard's end. Whoever
needs both rows locks the job's before the shard's, so that no two transactions wait for each other.
"""

import time
from collections.abc import Mapping

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from service.domain import Image, JobState, Plan, Shard, ShardKind, ShardResult, ShardState
from service.errors import ShardLost, WorkStopped
from service.storage.database import Database
from service.storage.jobs import end_job
from service.tables import ImageRow, JobRow, ShardRow, SummaryRow, ValueRow

MAX_ATTEMPTS = 3


class ShardStore:
    """What is kept of a job's work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, worker: str, lease_seconds: float) -> Shard | None:
        """Take the oldest waiting shard, or None where nothing waits."""
        oldest = select(ShardRow).where(ShardRow.state == ShardState.WAITING).order_by(ShardRow.id).limit(1)
        with self._database.write() as session:
            row = session.scalars(oldest.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            row.state, row.worker, row.attempt = ShardState.RUNNING, worker, row.attempt + 1
            row.lease_until = time.time() + lease_seconds
            job = session.scalars(select(JobRow.id).where(JobRow.number == row.job)).one()
            shard = Shard(row.id, job, ShardKind(row.kind), row.cohort, row.start, row.stop, row.attempt, worker)
        self._start(job)
        return shard

    def _start(self, job: str) -> None:
        queued = update(JobRow).where(JobRow.id == job, JobRow.state == JobState.QUEUED)
        with self._database.write() as session:
            session.execute(queued.values(state=JobState.RUNNING, started_at=time.time(), version=JobRow.version + 1))

    def renew(self, shard: Shard, lease_seconds: float, passes: int) -> bool:
        """Extend a lease and note progress. False: the shard is no longer this worker's."""
        with self._database.write() as session:
            row = _owned(session, shard)
            if row is None:
                return False
            _count_passes(session, row, passes)
            row.lease_until = time.time() + lease_seconds
            return True

    def record_plan(self, shard: Shard, plan: Plan) -> None:
        """Store the pictures and slices of a job. Raises WorkStopped."""
        with self._database.write() as session:
            row = _finish(session, shard)
            session.execute(
                insert(ImageRow),
                [
                    {
                        "job": row.job,
                        "number": i.number,
                        "name": i.name,
                        "label": i.label,
                        "path": i.path,
                        "human": i.human,
                    }
                    for i in plan.images
                ],
            )
            session.execute(
                insert(ShardRow),
                [
                    {"job": row.job, "kind": ShardKind.MEASURE, "state": ShardState.WAITING, "attempt": 0,
                     "passes_done": 0, "cohort": each.cohort, "start": each.start, "stop": each.stop}
                    for each in plan.slices
                ],
            )  # fmt: skip
            session.execute(
                update(JobRow)
                .where(JobRow.number == row.job)
                .values(
                    images_total=len(plan.images), passes_total=plan.passes, slices_left=len(plan.slices),
                    plan=dict(plan.facts), version=JobRow.version + 1,
                )
            )  # fmt: skip

    def record_values(self, shard: Shard, result: ShardResult) -> bool:
        """Store a slice's numbers, once. True: it was the last, and the summary waits. Raises WorkStopped."""
        with self._database.write() as session:
            row = _finish(session, shard)
            _count_passes(session, row, result.passes)
            row.device = result.device
            # The job's row is locked: of two last slices, the second sees what the first stored.
            left = session.scalar(
                update(JobRow)
                .where(JobRow.number == row.job)
                .values(slices_left=JobRow.slices_left - 1)
                .returning(JobRow.slices_left)
            )
            for image in result.images:
                _note_image(session, row.job, image)
            if result.values:
                session.execute(
                    insert(ValueRow),
                    [
                        {"job": row.job, "image": v.image, "cohort": v.cohort, "run": v.run, "data": v.data}
                        for v in result.values
                    ],
                )
            if left == 0:
                session.add(ShardRow(job=row.job, kind=ShardKind.SUMMARISE, state=ShardState.WAITING))
            return left == 0

    def record_summary(self, shard: Shard, document: str) -> None:
        """Store the results and end the job. Raises WorkStopped."""
        with self._database.write() as session:
            row = _finish(session, shard)
            session.add(SummaryRow(job=row.job, document=document))
            end_job(session, row.job, JobState.SUCCEEDED, None)

    def fail(self, shard: Shard, error: Mapping[str, object]) -> bool:
        """End the shard's job with a reason. False: the shard was no longer this worker's."""
        with self._database.write() as session:
            row = _owned(session, shard)
            return row is not None and end_job(session, row.job, JobState.FAILED, dict(error))

    def hand_back(self, shard: Shard, trouble: str) -> None:
        """Let another try a shard that ran into trouble; three times in all, then its job fails."""
        with self._database.write() as session:
            row = _owned(session, shard)
            if row is not None:
                _give_out_again(session, row, trouble)

    def release_all(self) -> None:
        """Give out every running shard again and count the attempt for nothing: no worker is left that had one."""
        with self._database.write() as session:
            session.execute(
                update(ShardRow)
                .where(ShardRow.state == ShardState.RUNNING)
                .values(state=ShardState.WAITING, worker=None, lease_until=None, attempt=ShardRow.attempt - 1)
            )

    def release_expired(self) -> int:
        """Give out the shards again whose lease has run out. Returns how many."""
        late = select(ShardRow.id, ShardRow.job).where(
            ShardRow.state == ShardState.RUNNING, ShardRow.lease_until < time.time()
        )
        with self._database.read() as session:
            found = session.execute(late).all()
        return sum(self._release(shard, job) for shard, job in found)

    def _release(self, shard: int, job: int) -> bool:
        with self._database.write() as session:
            session.execute(select(JobRow.number).where(JobRow.number == job).with_for_update())
            row = session.get(ShardRow, shard, with_for_update=True)
            expired = row is not None and row.lease_until is not None and row.lease_until < time.time()
            if row is not None and expired:
                _give_out_again(session, row, "its worker died or stopped answering")
            return expired

    def devices(self, job: str) -> list[str]:
        """What the job's numbers were computed on."""
        with self._database.read() as session:
            chosen = select(ShardRow.device).join(JobRow).where(JobRow.id == job, ShardRow.device.is_not(None))
            return sorted({str(device) for device in session.scalars(chosen.distinct())})

    def waiting(self) -> int:
        """How many shards wait for a worker."""
        with self._database.read() as session:
            counted = select(func.count()).select_from(ShardRow).where(ShardRow.state == ShardState.WAITING)
            return session.scalar(counted) or 0


def _owned(session: Session, shard: Shard) -> ShardRow | None:
    session.execute(select(JobRow.number).where(JobRow.id == shard.job).with_for_update())
    owned = select(ShardRow).where(
        ShardRow.id == shard.id,
        ShardRow.state == ShardState.RUNNING,
        ShardRow.worker == shard.worker,
        ShardRow.attempt == shard.attempt,
    )
    return session.scalars(owned.with_for_update()).one_or_none()


def _finish(session: Session, shard: Shard) -> ShardRow:
    row = _owned(session, shard)
    if row is None:
        raise WorkStopped(shard=shard.id)
    row.state, row.lease_until = ShardState.DONE, None
    session.flush()
    return row


def _give_out_again(session: Session, row: ShardRow, trouble: str) -> None:
    row.trouble = trouble
    if row.attempt >= MAX_ATTEMPTS:
        lost = ShardLost(attempts=row.attempt, worker=row.worker, reason=trouble)
        end_job(session, row.job, JobState.FAILED, {"type": lost.kind, "detail": str(lost)})
        return
    _count_passes(session, row, 0)
    row.state, row.worker, row.lease_until = ShardState.WAITING, None, None


def _count_passes(session: Session, row: ShardRow, passes: int) -> None:
    """Set a shard's count of passes, and move the job's by the difference."""
    gained = passes - row.passes_done
    row.passes_done = passes
    if gained:
        changed = {"passes_done": JobRow.passes_done + gained, "version": JobRow.version + 1}
        session.execute(update(JobRow).where(JobRow.number == row.job).values(**changed))


def _note_image(session: Session, job: int, image: Image) -> None:
    """Note what reading a picture told; of several cohorts that read it, the first."""
    session.execute(
        update(ImageRow)
        .where(ImageRow.job == job, ImageRow.number == image.number)
        .where(ImageRow.sha256.is_(None), ImageRow.skipped.is_(None))
        .values(sha256=image.sha256, skipped=image.skipped)
    )
