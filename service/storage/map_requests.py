"""Maps that somebody wants: asked for, taken by a worker, kept. Those that cannot be made say why for a while."""

from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.kept import MapRequest
from service.map_tables import MapRequestRow
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.jobs import row_of
from service.tables import JobRow

LEASE_SECONDS = 600  # as long as loading a model may take
MAX_ATTEMPTS = 2
ERROR_SECONDS = 60.0
PAGE = 1000
BETWEEN = ";"
LOST = "it killed its worker twice"


class MapRequestStore:
    """What is kept of wishes for maps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, wanted: Iterable[MapRequest]) -> int:
        """Put pictures into the queue; one that waits already is not asked for twice. Returns how many were given."""
        left, count = iter(wanted), 0
        while page := list(islice(left, PAGE)):
            self._ask(page)
            count += len(page)
        return count

    def _ask(self, wanted: Sequence[MapRequest]) -> None:
        dialect = sqlite if self._database.is_sqlite else postgresql
        with self._database.write() as session:
            now = moment(session)
            failed = MapRequestRow.error.is_not(None), MapRequestRow.asked_at < now - ERROR_SECONDS
            session.execute(delete(MapRequestRow).where(*failed))
            numbers = {job: row_of(session, job).number for job in {each.job for each in wanted}}
            rows = [
                {
                    "job": numbers[each.job], "image": each.image, "cohort": each.cohort,
                    "variants": BETWEEN.join(each.variants), "lasting": each.lasting, "asked_at": now, "attempt": 0,
                }
                for each in wanted
            ]  # fmt: skip
            session.execute(dialect.insert(MapRequestRow).on_conflict_do_nothing(), rows)

    def trouble(self, wanted: MapRequest) -> str | None:
        """Why a picture's maps cannot be made; None while they may be."""
        with self._database.read() as session:
            row = session.get(MapRequestRow, _key(session, wanted))
            if row is None or row.error is not None:
                return row.error if row else None
            lost = row.attempt >= MAX_ATTEMPTS and (row.lease_until or 0) <= moment(session)
            return LOST if lost else None

    def waiting(self, job: str | None = None) -> int:
        """How many pictures wait for a worker; with a job, how many of its own are not done."""
        chosen = select(func.count()).select_from(MapRequestRow)
        if job is None:
            chosen = chosen.where(*_free())
        else:
            chosen = chosen.join(JobRow).where(JobRow.id == job, MapRequestRow.error.is_(None))
        with self._database.read() as session:
            return session.scalar(chosen) or 0

    def claim(self) -> MapRequest | None:
        """Take the next that waits, of a person before those of a sample; None where nothing waits."""
        with self._database.read() as session:  # most often there is none, and nobody need be kept from writing
            if session.scalar(select(MapRequestRow.job).where(*_free()).limit(1)) is None:
                return None
        first = select(MapRequestRow).where(*_free()).order_by(MapRequestRow.lasting, MapRequestRow.asked_at)
        with self._database.write() as session:
            row = session.scalars(first.limit(1).with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            row.lease_until, row.attempt = NOW + LEASE_SECONDS, row.attempt + 1
            job = session.scalars(select(JobRow.id).where(JobRow.number == row.job)).one()
            return MapRequest(job, row.image, row.cohort, row.variants.split(BETWEEN), row.lasting)

    def done(self, request: MapRequest) -> None:
        """Its maps are kept."""
        with self._database.write() as session:
            session.execute(delete(MapRequestRow).where(*_same(session, request)))

    def fail(self, request: MapRequest, error: str) -> None:
        """Its maps cannot be made."""
        with self._database.write() as session:
            failed = update(MapRequestRow).where(*_same(session, request))
            session.execute(failed.values(error=error, asked_at=NOW))


def _free() -> tuple[ColumnElement[bool], ...]:
    free = or_(MapRequestRow.lease_until.is_(None), MapRequestRow.lease_until <= NOW)
    return MapRequestRow.error.is_(None), MapRequestRow.attempt < MAX_ATTEMPTS, free


def _key(session: Session, request: MapRequest) -> tuple[int, int, int, str]:
    return row_of(session, request.job).number, request.image, request.cohort, BETWEEN.join(request.variants)


def _same(session: Session, request: MapRequest) -> tuple[ColumnElement[bool], ...]:
    job, image, cohort, variants = _key(session, request)
    return (
        MapRequestRow.job == job, MapRequestRow.image == image, MapRequestRow.cohort == cohort,
        MapRequestRow.variants == variants,
    )  # fmt: skip
