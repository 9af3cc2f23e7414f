"""Claims rows of tables that serve as queues: a row is leased to one process at a time, until its lease expires."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, or_
from sqlalchemy.orm import Session

from service.storage.clock import NOW
from service.storage.database import Database
from service.storage.tables.base import LeasedRow

Row = TypeVar("Row", bound=LeasedRow)
Claim = TypeVar("Claim")


def is_unleased(rows: type[LeasedRow]) -> ColumnElement[bool]:
    """Whether no process holds a lease on a row."""
    return or_(rows.lease_until.is_(None), rows.lease_until <= NOW)


def claim_one(
    database: Database,
    rows: type[Row],
    ready: Select[Row],
    lease_seconds: float,
    to_claim: Callable[[Session, Row], Claim],
) -> Claim | None:
    """Lease the first ready row without a lease, and return the result of `to_claim` for it; None if there is none.

    `to_claim` runs in the transaction that leases the row, so it can change the row too.
    """
    candidates = ready.where(is_unleased(rows)).limit(1)
    with database.read() as session:  # usually there is no row, and a read blocks no writer
        if session.execute(candidates.with_only_columns(rows.lease_until).order_by(None)).first() is None:
            return None
    with database.write() as session:
        row = session.scalars(candidates.with_for_update(skip_locked=True)).one_or_none()
        if row is None:
            return None
        row.lease_until = NOW + lease_seconds
        return to_claim(session, row)
