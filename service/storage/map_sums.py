"""Sums of maps: added up by whoever records a shard, so that they are never held picture by picture."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.job import MapSum
from service.domain.maps import ClassSum
from service.storage.database import Database
from service.storage.tables.jobs import JobRow, MapSumRow
from service.storage.tables.maps import ClassSumRow


def add_map_sums(session: Session, job: int, sums: Iterable[MapSum]) -> None:
    """Add a shard's sums to its job's, whose row is locked."""
    for each in sums:
        row = session.get(MapSumRow, (job, each.cohort, each.run, each.out_of_set))
        if row is None:
            row = MapSumRow(job=job, cohort=each.cohort, run=each.run, out_of_set=each.out_of_set, count=0, data=b"")
            session.add(row)
        row.count, row.data = row.count + each.count, _added(row.data, each.data)


def add_class_sums(session: Session, job: int, sums: Iterable[ClassSum]) -> None:
    """As above, of the native maps of each class."""
    for each in sums:
        row = session.get(ClassSumRow, (job, each.cohort, each.label))
        if row is None:
            row = ClassSumRow(job=job, cohort=each.cohort, label=each.label, count=0, data=b"")
            session.add(row)
        row.count, row.data = row.count + each.count, _added(row.data, each.data)


def _added(before: bytes, more: bytes) -> bytes:
    """Equally many int64 added one by one: none is negative nor overflows, so that none carries into the next."""
    both = int.from_bytes(before, "little") + int.from_bytes(more, "little")
    return both.to_bytes(len(more), "little")


class MapSumStore:
    """What is kept of maps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_cohort(self, job: str, cohort: int, out_of_set: bool) -> list[MapSum]:
        """The sums of a cohort's maps over one image set, in the runs' order."""
        chosen = (
            select(MapSumRow)
            .join(JobRow)
            .where(JobRow.id == job, MapSumRow.cohort == cohort, MapSumRow.out_of_set == out_of_set)
            .order_by(MapSumRow.run)
        )
        with self._database.read() as session:
            rows = session.scalars(chosen)
            return [MapSum(row.cohort, row.run, row.out_of_set, row.count, row.data) for row in rows]

    def by_class(self, job: str) -> list[ClassSum]:
        """The sums of all cohorts' native maps, all pictures' ("") before the classes'."""
        chosen = select(ClassSumRow).join(JobRow).where(JobRow.id == job)
        with self._database.read() as session:
            rows = session.scalars(chosen.order_by(ClassSumRow.cohort, ClassSumRow.label))
            return [ClassSum(row.cohort, row.label, row.count, row.data) for row in rows]
