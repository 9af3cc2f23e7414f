"""Inspections in the database: requested by a client, leased by a worker, answered, and deleted after a day."""

from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from service.domain.inspection import Inspect, Inspection
from service.errors import InspectionNotFound
from service.spec.model import Json
from service.storage.clock import NOW, moment
from service.storage.database import Database
from service.storage.lease_queue import claim_one
from service.storage.tables.jobs import InspectionRow
from service.telemetry.redaction import redact

RETENTION_SECONDS = 24 * 3600
LEASE_SECONDS = 600  # loading a model may take this long
MAX_ATTEMPTS = 2


class InspectionStore:
    """Stores inspections and their results."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, request: Inspect) -> str:
        """Store an inspection for a worker. Returns its ID."""
        identifier = str(uuid4())
        dumped = request.model_dump(mode="json", exclude_unset=True)
        with self._database.write() as session:
            session.execute(delete(InspectionRow).where(InspectionRow.created_at <= NOW - RETENTION_SECONDS))
            session.add(InspectionRow(id=identifier, asked=dumped, created_at=NOW))
        return identifier

    def get(self, inspection: str) -> Inspection:
        """Return an inspection. Raises InspectionNotFound."""
        with self._database.read() as session:
            row = session.get(InspectionRow, inspection)
            if row is None:
                raise InspectionNotFound(inspection=inspection)
            return _to_inspection(row, moment(session))

    def claim(self) -> Inspection | None:
        """Lease the oldest inspection that waits or whose lease has expired; None if there is none."""
        is_open = InspectionRow.found.is_(None) & InspectionRow.error.is_(None)
        ready = select(InspectionRow).where(is_open, InspectionRow.attempt < MAX_ATTEMPTS)

        def to_claim(session: Session, row: InspectionRow) -> Inspection:
            row.attempt += 1
            return _to_inspection(row, moment(session))

        oldest_first = ready.order_by(InspectionRow.created_at)
        return claim_one(self._database, InspectionRow, oldest_first, LEASE_SECONDS, to_claim)

    def record_answer(self, inspection: str, found: Json | None, error: Json | None) -> None:
        """Store the result or the error of an inspection."""
        with self._database.write() as session:
            session.execute(
                update(InspectionRow).where(InspectionRow.id == inspection).values(found=found, error=error)
            )


def _to_inspection(row: InspectionRow, now: float) -> Inspection:
    request = Inspect.model_validate(row.asked)
    return Inspection(row.id, request, row.found, row.error or _find_abandonment(row, request, now), row.tenant)


def _find_abandonment(row: InspectionRow, request: Inspect, now: float) -> Json | None:
    """Return an error if all attempts at an inspection have ended without an answer; a late answer replaces it."""
    if row.found or row.attempt < MAX_ATTEMPTS or (row.lease_until or 0) > now:
        return None
    field, uri = request.subject()
    message = f"{MAX_ATTEMPTS} workers crashed on {redact(uri)}, or took longer than {LEASE_SECONDS} s"
    return {"field": field, "detail": f"{message}; inspect a smaller file, or see the log of the workers"}
