"""Inspections in the database: asked for, taken by a worker, answered. Old ones are forgotten."""

from uuid import uuid4

from sqlalchemy import delete, or_, select, update

from service.domain.inspection import Inspect, Inspection
from service.errors import InspectionNotFound
from service.spec.model import Json
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.tables.jobs import InspectionRow
from service.telemetry.redaction import redact

RETENTION_SECONDS = 24 * 3600
LEASE_SECONDS = 600  # as long as loading a model may take
MAX_ATTEMPTS = 2


class InspectionStore:
    """What is kept of inspections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, request: Inspect) -> str:
        """Keep an inspection for a worker to take. Returns its ID."""
        number = str(uuid4())
        dumped = request.model_dump(mode="json", exclude_unset=True)
        with self._database.write() as session:
            session.execute(delete(InspectionRow).where(InspectionRow.created_at <= NOW - RETENTION_SECONDS))
            session.add(InspectionRow(id=number, asked=dumped, created_at=NOW))
        return number

    def get(self, inspection: str) -> Inspection:
        """An inspection as it stands. Raises InspectionNotFound."""
        with self._database.read() as session:
            row = session.get(InspectionRow, inspection)
            if row is None:
                raise InspectionNotFound(inspection=inspection)
            return _to_inspection(row, moment(session))

    def claim(self) -> Inspection | None:
        """Take the oldest that waits, or that its worker lost; None where nothing waits."""
        open_ = InspectionRow.found.is_(None) & InspectionRow.error.is_(None)
        free = or_(InspectionRow.lease_until.is_(None), InspectionRow.lease_until <= NOW)
        oldest = select(InspectionRow).where(open_, free, InspectionRow.attempt < MAX_ATTEMPTS)
        with self._database.read() as session:  # most often there is none, and nobody need be kept from writing
            if session.scalar(oldest.with_only_columns(InspectionRow.id).limit(1)) is None:
                return None
        with self._database.write() as session:
            chosen = oldest.order_by(InspectionRow.created_at).limit(1).with_for_update(skip_locked=True)
            row = session.scalars(chosen).one_or_none()
            if row is None:
                return None
            row.lease_until, row.attempt = NOW + LEASE_SECONDS, row.attempt + 1
            return _to_inspection(row, moment(session))

    def record_answer(self, inspection: str, found: Json | None, error: Json | None) -> None:
        """Keep what a worker found, or why it found nothing."""
        with self._database.write() as session:
            session.execute(
                update(InspectionRow).where(InspectionRow.id == inspection).values(found=found, error=error)
            )


def _to_inspection(row: InspectionRow, now: float) -> Inspection:
    request = Inspect.model_validate(row.asked)
    return Inspection(row.id, request, row.found, row.error or _abandoned_error(row, request, now), row.tenant)


def _abandoned_error(row: InspectionRow, request: Inspect, now: float) -> Json | None:
    """The error of one that nobody takes again, as long as no worker answers it after all."""
    if row.found or row.attempt < MAX_ATTEMPTS or (row.lease_until or 0) > now:
        return None
    field, uri = request.subject()
    message = f"looking at {redact(uri)} ended {MAX_ATTEMPTS} workers, or took each more than {LEASE_SECONDS} s"
    return {"field": field, "detail": f"{message}; ask again with something smaller, or see the workers' log"}
