"""Finds values that earlier jobs computed, by their cache keys."""

from collections.abc import Sequence

from sqlalchemy import Select, func, select

from service.storage.database import Database
from service.storage.tables.jobs import JobRow, ValueRow

MAX_KEYS = 500  # keys in one query


class CachedValueStore:
    """Reads the measured values of all jobs. A job can read only values of its own tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, job: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the stored rows of values by cache key; keys without a row are omitted."""
        found: dict[bytes, bytes] = {}
        with self._database.read() as session:
            for start in range(0, len(keys), MAX_KEYS):
                rows = session.execute(_oldest_rows(job, keys[start : start + MAX_KEYS]))
                found |= {key: data for key, data in rows if key}
        return found


def _oldest_rows(job: str, keys: Sequence[bytes]) -> Select[bytes | None, bytes]:
    """Select the row of each key from the oldest job that has it, since many jobs may have copied it."""
    tenant = select(JobRow.tenant).where(JobRow.id == job).scalar_subquery()
    candidates = select(ValueRow.key, func.min(ValueRow.job).label("job")).join(JobRow, JobRow.number == ValueRow.job)
    visible = candidates.where(ValueRow.key.in_(keys), JobRow.tenant == tenant, ~JobRow.forgotten)
    oldest = visible.group_by(ValueRow.key).subquery()
    same = (ValueRow.key == oldest.c.key) & (ValueRow.job == oldest.c.job)
    return select(ValueRow.key, ValueRow.data).join(oldest, same)
