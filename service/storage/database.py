"""Connections and transactions. Knows no table; of a tenant, tenancy.py narrows what is asked.

SQLite's writers take the write lock when they begin, so that two of them wait for each other instead of
failing halfway; its readers see a snapshot and wait for nobody (write-ahead log). What was committed is on the disk,
also after a power cut.

A database that does not answer, or stops answering in a transaction, raises DatabaseUnavailable, whatever its driver
raised; so does one that takes no changes. Whether a commit that was under way took effect is then unknown.
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from copy import copy
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Row, TextClause, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.orm import Session

from service.errors import DatabaseReadOnly, DatabaseUnavailable
from service.settings.database import DEFAULT, Timeouts
from service.storage.postgres import READ_ONLY, connect_postgres
from service.storage.tenancy import TENANT, TenantSession

WRITE_OPTIONS = {"sqlite_begin": "IMMEDIATE"}
AUTOCOMMIT: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT"}
NO_PARAMETERS: Mapping[str, object] = {}

log = logging.getLogger(__name__)


@contextmanager
def translating_errors() -> Iterator[None]:
    """Raise DatabaseUnavailable for whatever says that the database does not answer."""
    try:
        yield
    except NoConnectionLeft as error:
        log.warning("The database does not answer: %s", error)
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        if _is_read_only(error):
            log.warning("The database takes no changes: %s", error)
            raise DatabaseReadOnly from error
        if not isinstance(error, OperationalError | InterfaceError) and not error.connection_invalidated:
            raise
        log.warning("The database does not answer: %s", error)
        raise DatabaseUnavailable from error


def _is_read_only(error: DBAPIError) -> bool:
    """Whether a standby says so, a database whose transactions are set to read only, or SQLite of its file."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # the rest of it says why
    return getattr(error.orig, "sqlstate", None) == READ_ONLY or code == sqlite3.SQLITE_READONLY


class Database:
    """One engine; `read` and `write` are its transactions. With a tenant, they see its rows only."""

    def __init__(self, url: str, timeouts: Timeouts = DEFAULT) -> None:
        self.url = make_url(url)
        self.tenant: str | None = None
        self._joined: Connection | None = None
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = (_connect_sqlite if self.is_sqlite else connect_postgres)(self.url, timeouts)

    def for_tenant(self, tenant: str) -> "Database":
        """The same database as one tenant sees it."""
        scoped = copy(self)
        scoped.tenant = tenant
        return scoped

    @contextmanager
    def joined(self) -> Iterator["Database"]:
        """The same database inside one writing transaction, which all its reads and writes join.

        It commits at its end, or not at all. Raises DatabaseUnavailable.
        """
        with translating_errors(), self._begin() as connection:
            joined = copy(self)
            joined._joined = connection
            yield joined

    @property
    def own_tenant(self) -> str:
        """The tenant whose rows are asked for where somebody's must be: the default one, unless it is said."""
        return self.tenant or ""

    def _session(self, bind: Engine | Connection, expire: bool = True) -> Session:
        if self.tenant is None:
            return Session(bind, expire_on_commit=expire)
        return TenantSession(bind, expire_on_commit=expire, info={TENANT: self.tenant})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that changes nothing. Raises DatabaseUnavailable."""
        with translating_errors(), self._session(self._joined or self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits at its end, or not at all. Raises DatabaseUnavailable."""
        with (
            translating_errors(),
            nullcontext(self._joined) if self._joined else self._begin() as connection,
            self._session(connection, expire=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self.engine.connect().execution_options(**WRITE_OPTIONS) as connection, connection.begin():
            yield connection

    def fetch_one(self, query: TextClause, facts: Mapping[str, object] = NO_PARAMETERS) -> Row[Any] | None:
        """The one row that a plain query gives, without a transaction, and past the wall between tenants.

        For what every request asks: a query that is text costs a third of one that is made. Raises DatabaseUnavailable.
        """
        if self._joined:
            return self._joined.execute(query, facts).one_or_none()
        with translating_errors(), self.engine.connect().execution_options(**AUTOCOMMIT) as connection:
            return connection.execute(query, facts).one_or_none()

    def ping(self) -> None:
        """Raise DatabaseUnavailable if it does not answer."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def check_writable(self) -> None:
        """Raise DatabaseReadOnly where it takes no changes; drop its connections, as new ones may reach the primary."""
        if self.is_sqlite:
            return
        with self.read() as session:
            reads_only = session.scalar(text("SHOW transaction_read_only")) == "on"
        if reads_only:
            self.close()
            raise DatabaseReadOnly

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _connect_sqlite(url: URL, timeouts: Timeouts) -> Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": timeouts.lock, "isolation_level": None})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")
