"""Numbers computed before, found by their keys."""

from collections.abc import Sequence

from sqlalchemy import Select, func, select

from service.storage.database import Database
from service.storage.tables.jobs import JobRow, ValueRow

MAX_KEYS = 500  # keys a question


class CachedValueStore:
    """What all jobs have computed. A job sees its own tenant's numbers alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, job: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The rows of numbers that have these keys, of those that are kept."""
        found: dict[bytes, bytes] = {}
        with self._database.read() as session:
            for start in range(0, len(keys), MAX_KEYS):
                rows = session.execute(_first(job, keys[start : start + MAX_KEYS]))
                found |= {key: data for key, data in rows if key}
        return found


def _first(job: str, keys: Sequence[bytes]) -> Select[bytes | None, bytes]:
    """The rows of these keys, of the oldest job that has each, as many may have read what one computed."""
    tenant = select(JobRow.tenant).where(JobRow.id == job).scalar_subquery()
    having = select(ValueRow.key, func.min(ValueRow.job).label("job")).join(JobRow, JobRow.number == ValueRow.job)
    kept = having.where(ValueRow.key.in_(keys), JobRow.tenant == tenant, ~JobRow.forgotten)
    oldest = kept.group_by(ValueRow.key).subquery()
    same = (ValueRow.key == oldest.c.key) & (ValueRow.job == oldest.c.job)
    return select(ValueRow.key, ValueRow.data).join(oldest, same)
