"""The base class of all tables, the type of row numbers, and the columns of a lease."""

from sqlalchemy import BigInteger, Double, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite assigns numbers to rows only if the type of the primary key is exactly INTEGER.
RowNumber = BigInteger().with_variant(Integer, "sqlite")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Rows(DeclarativeBase):
    """All tables. Constraints have names so that migrations can refer to them."""

    metadata = MetaData(naming_convention=NAMING)


class LeasedRow:
    """A row that one process at a time holds a lease on, until `lease_until` (seconds since the epoch)."""

    lease_until: Mapped[float | None] = mapped_column(Double)
