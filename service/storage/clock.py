"""The clock of the database, in seconds since the epoch. Leases, delays and deadlines use it, not the machines' clocks.

On Postgres the time is constant within a statement. On SQLite it is this machine's time with a resolution of one
millisecond, so compare with `<= NOW`: a time that was stored just now must count as reached.
"""

from typing import Any

from sqlalchemy import Double, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement


class Now(FunctionElement[float]):
    """The current time, for use inside an SQL statement."""

    type = Double()
    inherit_cache = True


NOW = Now()


def moment(session: Session) -> float:
    """Return the current time of the database, for calculations in Python."""
    return session.scalars(select(NOW)).one()


@compiles(Now, "postgresql")
def _on_postgres(_element: Now, _compiler: object, **_: Any) -> str:
    # Postgres evaluates a subquery once, not for each of a million waiting rows.
    return "(SELECT date_part('epoch', statement_timestamp()))"


@compiles(Now, "sqlite")
def _on_sqlite(_element: Now, _compiler: object, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
