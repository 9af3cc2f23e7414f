"""Restarts open jobs of an earlier release whose values this release computes differently.

No job then mixes values of two formats, and no job waits for workers of a release that no longer runs.
"""

from sqlalchemy import delete, select

from service.domain.format import OLDEST_FORMAT
from service.domain.job import OPEN_STATES
from service.domain.work import ShardKind, ShardState
from service.storage.database import Database
from service.storage.fair_queue import single_shard
from service.storage.tables.jobs import JobRow, MapSumRow, ShardRow, ValueRow
from service.storage.tables.maps import ClassSumRow

OUTDATED = ShardRow.state == ShardState.WAITING, ShardRow.format < OLDEST_FORMAT


def replan_outdated(database: Database) -> int:
    """Restart the open jobs with waiting shards of a format before OLDEST_FORMAT. Returns their number."""
    with database.read() as session:
        found = session.scalars(select(ShardRow.job).where(*OUTDATED).distinct()).all()
    return sum(_replan(database, number) for number in found)


def _replan(database: Database, number: int) -> bool:
    """Restart a job. Returns False if it has ended or another process has restarted it."""
    with database.write() as session:
        job = session.get(JobRow, number, with_for_update=True)
        left = session.scalar(select(ShardRow.id).where(ShardRow.job == number, *OUTDATED).limit(1))
        if job is None or job.state not in OPEN_STATES or left is None:
            return False
        for rows in (ShardRow, ValueRow, MapSumRow, ClassSumRow):
            session.execute(delete(rows).where(rows.job == number))
        _reset_progress(job)
        session.add(single_shard(session, number, ShardKind.PLAN))
        return True


def _reset_progress(job: JobRow) -> None:
    job.plan = job.images_total = job.passes_total = job.slices_left = job.so_far = job.look_after = None
    job.passes_done = job.passes_reused = job.looked = 0
    job.stopped_at, job.version = None, job.version + 1
