"""The database's clock: what leases, pauses and deadlines run by, whatever the clocks of the machines around say.

Seconds since the epoch. On Postgres it stands still for a statement; on SQLite it is this machine's, to the
millisecond, so that a moment that has come is asked for by `<= NOW`.
"""

from typing import Any

from sqlalchemy import Double, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement


class Now(FunctionElement[float]):
    """The present moment inside a statement."""

    type = Double()
    inherit_cache = True


NOW = Now()


def moment(session: Session) -> float:
    """The present moment, for what reckons with it outside of statements."""
    return session.scalars(select(NOW)).one()


@compiles(Now, "postgresql")
def _on_postgres(_element: Now, _compiler: object, **_: Any) -> str:
    # A subquery is asked once, not for each of a million rows that wait.
    return "(SELECT date_part('epoch', statement_timestamp()))"


@compiles(Now, "sqlite")
def _on_sqlite(_element: Now, _compiler: object, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
