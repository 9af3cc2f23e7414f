"""Connections and transactions. This module knows no table; tenancy.py limits the sessions of a tenant.

On SQLite, writers take the write lock when their transaction begins, so a second writer waits instead of failing
halfway. Readers see a snapshot and never wait (write-ahead log). Committed data survives a power failure.

If the database does not respond, or is read-only, every method raises DatabaseUnavailable or its subclass
DatabaseReadOnly instead of the driver's error. It is then unknown whether a commit in progress took effect.
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
from sqlalchemy.exc import TimeoutError as PoolExhausted
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
    """Translate errors of the driver into DatabaseUnavailable and DatabaseReadOnly."""
    try:
        yield
    except PoolExhausted as error:
        log.warning("The database is unavailable: %s", error)
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        if _is_read_only(error):
            log.warning("The database is read-only: %s", error)
            raise DatabaseReadOnly from error
        if not isinstance(error, OperationalError | InterfaceError) and not error.connection_invalidated:
            raise
        log.warning("The database is unavailable: %s", error)
        raise DatabaseUnavailable from error


def _is_read_only(error: DBAPIError) -> bool:
    """Whether the database is read-only: a standby, a setting, or the permissions of an SQLite file."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary error code
    return getattr(error.orig, "sqlstate", None) == READ_ONLY or code == sqlite3.SQLITE_READONLY


class Database:
    """One engine and its transactions, `read` and `write`. With a `tenant`, they see only the rows of that tenant."""

    def __init__(self, url: str, timeouts: Timeouts = DEFAULT) -> None:
        self.url = make_url(url)
        self.tenant: str | None = None
        self._joined: Connection | None = None
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = (_connect_sqlite if self.is_sqlite else connect_postgres)(self.url, timeouts)

    def for_tenant(self, tenant: str) -> "Database":
        """Return the same database, limited to one tenant."""
        scoped = copy(self)
        scoped.tenant = tenant
        return scoped

    @contextmanager
    def joined(self) -> Iterator["Database"]:
        """Yield the same database inside one write transaction, which all its reads and writes join.

        The transaction commits at the end or writes nothing. Raises DatabaseUnavailable.
        """
        with translating_errors(), self._begin() as connection:
            joined = copy(self)
            joined._joined = connection
            yield joined

    @property
    def own_tenant(self) -> str:
        """The tenant that owns new rows: `tenant`, or the default tenant ("") if it is not set."""
        return self.tenant or ""

    def _session(self, bind: Engine | Connection, expire_on_commit: bool = True) -> Session:
        if self.tenant is None:
            return Session(bind, expire_on_commit=expire_on_commit)
        return TenantSession(bind, expire_on_commit=expire_on_commit, info={TENANT: self.tenant})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a transaction for reading. Raises DatabaseUnavailable."""
        with translating_errors(), self._session(self._joined or self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a transaction that commits at the end or writes nothing. Raises DatabaseUnavailable."""
        with (
            translating_errors(),
            nullcontext(self._joined) if self._joined else self._begin() as connection,
            self._session(connection, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self.engine.connect().execution_options(**WRITE_OPTIONS) as connection, connection.begin():
            yield connection

    def fetch_one(self, query: TextClause, parameters: Mapping[str, object] = NO_PARAMETERS) -> Row[Any] | None:
        """Return the only row of a plain SQL query, without a transaction and without the limit to a tenant.

        Use it for queries that every request makes: plain SQL takes a third of the time of a constructed query. Raises
        DatabaseUnavailable.
        """
        if self._joined:
            return self._joined.execute(query, parameters).one_or_none()
        with translating_errors(), self.engine.connect().execution_options(**AUTOCOMMIT) as connection:
            return connection.execute(query, parameters).one_or_none()

    def ping(self) -> None:
        """Raise DatabaseUnavailable if the database does not respond."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def check_writable(self) -> None:
        """Raise DatabaseReadOnly if the database is read-only.

        All connections are then dropped, since new connections may reach the primary.
        """
        if self.is_sqlite:
            return
        with self.read() as session:
            is_read_only = session.scalar(text("SHOW transaction_read_only")) == "on"
        if is_read_only:
            self.close()
            raise DatabaseReadOnly

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _connect_sqlite(url: URL, timeouts: Timeouts) -> Engine:
    if url.database and "uri" not in url.query:  # a URI such as `file:PATH` is not a path
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
