"""Requests for maps: inserted by the API, leased by a worker, and deleted once the maps are stored.

The error of a failed request is stored for a minute.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.domain.maps import MapRequest
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.jobs import get_row
from service.storage.lease_queue import claim_one, is_unleased
from service.storage.tables.jobs import JobRow
from service.storage.tables.maps import MapRequestRow

LEASE_SECONDS = 600  # loading a model may take this long
MAX_ATTEMPTS = 2
ERROR_SECONDS = 60.0
PAGE_SIZE = 1000
SEPARATOR = ";"
CRASHED = "the request crashed two workers"


class MapRequestStore:
    """Stores requests for maps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(self, requests: Iterable[MapRequest]) -> int:
        """Insert requests, except those that are stored already. Returns the number of requests given."""
        left, count = iter(requests), 0
        while page := list(islice(left, PAGE_SIZE)):
            self._enqueue_page(page)
            count += len(page)
        return count

    def _enqueue_page(self, requests: Sequence[MapRequest]) -> None:
        dialect = sqlite if self._database.is_sqlite else postgresql
        with self._database.write() as session:
            now = moment(session)
            failed = MapRequestRow.error.is_not(None), MapRequestRow.asked_at < now - ERROR_SECONDS
            session.execute(delete(MapRequestRow).where(*failed))
            numbers = {job: get_row(session, job).number for job in {each.job for each in requests}}
            rows = [
                {
                    "job": numbers[each.job], "image": each.image, "cohort": each.cohort,
                    "variants": SEPARATOR.join(each.variants), "lasting": each.is_permanent,
                    "asked_at": now, "attempt": 0,
                }
                for each in requests
            ]  # fmt: skip
            session.execute(dialect.insert(MapRequestRow).on_conflict_do_nothing(), rows)

    def error_of(self, request: MapRequest) -> str | None:
        """Return why the maps of a request cannot be made; None if a worker may still make them."""
        with self._database.read() as session:
            row = session.get(MapRequestRow, _key(session, request))
            if row is None or row.error is not None:
                return row.error if row else None
            has_crashed = row.attempt >= MAX_ATTEMPTS and (row.lease_until or 0) <= moment(session)
            return CRASHED if has_crashed else None

    def pending_count(self, job: str | None = None) -> int:
        """Return how many requests wait for a worker, or with `job`, how many requests of the job are not complete."""
        chosen = select(func.count()).select_from(MapRequestRow)
        if job is None:
            chosen = chosen.where(*_is_ready(), is_unleased(MapRequestRow))
        else:
            chosen = chosen.join(JobRow).where(JobRow.id == job, MapRequestRow.error.is_(None))
        with self._database.read() as session:
            return session.scalar(chosen) or 0

    def claim(self) -> MapRequest | None:
        """Lease the oldest waiting request; None if there is none. Users' requests come before those of samples."""
        ready = select(MapRequestRow).where(*_is_ready()).order_by(MapRequestRow.lasting, MapRequestRow.asked_at)

        def to_claim(session: Session, row: MapRequestRow) -> MapRequest:
            row.attempt += 1
            job = session.scalars(select(JobRow.id).where(JobRow.number == row.job)).one()
            return MapRequest(job, row.image, row.cohort, row.variants.split(SEPARATOR), row.lasting)

        return claim_one(self._database, MapRequestRow, ready, LEASE_SECONDS, to_claim)

    def complete(self, request: MapRequest) -> None:
        """Delete a request whose maps are stored."""
        with self._database.write() as session:
            session.execute(delete(MapRequestRow).where(*_matches(session, request)))

    def fail(self, request: MapRequest, error: str) -> None:
        """Store the error of a request whose maps cannot be made."""
        with self._database.write() as session:
            failed = update(MapRequestRow).where(*_matches(session, request))
            session.execute(failed.values(error=error, asked_at=NOW))


def _is_ready() -> tuple[ColumnElement[bool], ...]:
    return MapRequestRow.error.is_(None), MapRequestRow.attempt < MAX_ATTEMPTS


def _key(session: Session, request: MapRequest) -> tuple[int, int, int, str]:
    return get_row(session, request.job).number, request.image, request.cohort, SEPARATOR.join(request.variants)


def _matches(session: Session, request: MapRequest) -> tuple[ColumnElement[bool], ...]:
    job, image, cohort, variants = _key(session, request)
    return (
        MapRequestRow.job == job, MapRequestRow.image == image, MapRequestRow.cohort == cohort,
        MapRequestRow.variants == variants,
    )  # fmt: skip
