"""Connections and transactions. Knows no table.

SQLite's writers take the write lock when they begin, so that two of them wait for each other instead of
failing halfway; its readers see a snapshot and wait for nobody (write-ahead log).

A database that is away, or goes in mid-transaction, is a DatabaseAway whatever its driver raised. Whether a
transaction whose commit was under way has counted is then not known.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.orm import Session

from service.errors import DatabaseAway

WRITES = {"sqlite_begin": "IMMEDIATE"}
ALONE: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT"}

log = logging.getLogger(__name__)


@contextmanager
def answering() -> Iterator[None]:
    """Raise DatabaseAway for whatever says that the database does not answer."""
    try:
        yield
    except (OperationalError, InterfaceError, NoConnectionLeft) as error:
        log.warning("The database does not answer: %s", error)
        raise DatabaseAway from error
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        log.warning("The database broke off: %s", error)
        raise DatabaseAway from error


class Database:
    """One engine; `read` and `write` are its transactions."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._connect_sqlite() if self.is_sqlite else create_engine(url, pool_pre_ping=True)

    def _connect_sqlite(self) -> Engine:
        if self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(self.url, connect_args={"timeout": 60, "isolation_level": None})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that changes nothing. Raises DatabaseAway."""
        with answering(), Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits at its end, or not at all. Raises DatabaseAway."""
        with (
            answering(),
            self.engine.connect().execution_options(**WRITES) as connection,
            Session(connection, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def look_up(self, query: TextClause, facts: Mapping[str, object]) -> Any:
        """The one value that a plain query gives, without a transaction around it. Raises DatabaseAway."""
        with answering(), self.engine.connect().execution_options(**ALONE) as connection:
            return connection.scalar(query, facts)

    def ping(self) -> None:
        """Raise DatabaseAway if it does not answer."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")
