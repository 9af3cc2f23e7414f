"""Maps that somebody wants: asked for, taken by a worker, kept. Those that cannot be made say why for a while."""

from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.domain.maps import MapRequest
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.jobs import get_row
from service.storage.tables.jobs import JobRow
from service.storage.tables.maps import MapRequestRow

LEASE_SECONDS = 600  # as long as loading a model may take
MAX_ATTEMPTS = 2
ERROR_SECONDS = 60.0
PAGE_SIZE = 1000
SEPARATOR = ";"
CRASHED = "it killed its worker twice"


class MapRequestStore:
    """What is kept of wishes for maps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(self, wanted: Iterable[MapRequest]) -> int:
        """Put pictures into the queue; one that waits already is not asked for twice. Returns how many were given."""
        left, count = iter(wanted), 0
        while page := list(islice(left, PAGE_SIZE)):
            self._enqueue_page(page)
            count += len(page)
        return count

    def _enqueue_page(self, wanted: Sequence[MapRequest]) -> None:
        dialect = sqlite if self._database.is_sqlite else postgresql
        with self._database.write() as session:
            now = moment(session)
            failed = MapRequestRow.error.is_not(None), MapRequestRow.asked_at < now - ERROR_SECONDS
            session.execute(delete(MapRequestRow).where(*failed))
            numbers = {job: get_row(session, job).number for job in {each.job for each in wanted}}
            rows = [
                {
                    "job": numbers[each.job], "image": each.image, "cohort": each.cohort,
                    "variants": SEPARATOR.join(each.variants), "lasting": each.is_permanent,
                    "asked_at": now, "attempt": 0,
                }
                for each in wanted
            ]  # fmt: skip
            session.execute(dialect.insert(MapRequestRow).on_conflict_do_nothing(), rows)

    def error_of(self, wanted: MapRequest) -> str | None:
        """Why a picture's maps cannot be made; None while they may be."""
        with self._database.read() as session:
            row = session.get(MapRequestRow, _key(session, wanted))
            if row is None or row.error is not None:
                return row.error if row else None
            lost = row.attempt >= MAX_ATTEMPTS and (row.lease_until or 0) <= moment(session)
            return CRASHED if lost else None

    def pending_count(self, job: str | None = None) -> int:
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
            return MapRequest(job, row.image, row.cohort, row.variants.split(SEPARATOR), row.lasting)

    def complete(self, request: MapRequest) -> None:
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
    return get_row(session, request.job).number, request.image, request.cohort, SEPARATOR.join(request.variants)


def _same(session: Session, request: MapRequest) -> tuple[ColumnElement[bool], ...]:
    job, image, cohort, variants = _key(session, request)
    return (
        MapRequestRow.job == job, MapRequestRow.image == image, MapRequestRow.cohort == cohort,
        MapRequestRow.variants == variants,
    )  # fmt: skip
