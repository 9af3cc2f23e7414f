"""Connections to Postgres with time limits for every operation.

The server cancels statements and lock waits that take too long. If the server hangs or the network drops all packets,
the server cancels nothing; the client therefore also closes a connection that has been silent for too long.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from service.settings.database import Timeouts

PING_AFTER_SECONDS = 1.0  # a connection idle for longer is tested before it is used
GRACE_SECONDS = 2.0  # the server's report of a cancelled statement may take this long
PROBES = 3
READ_ONLY = "25006"


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that closes if the server is silent for longer than a statement may take."""

    timeouts = Timeouts()
    silence: float | None = None

    @classmethod
    def open(cls, timeouts: Timeouts, *arguments: Any, **options: Any) -> Self:
        """Connect and set the time limits on the server."""
        opened = cls.connect(*arguments, **options)
        opened.timeouts = timeouts
        opened.autocommit = True
        opened.reset_silence()
        limits = [f"{round(seconds * 1000)}ms" for seconds in (timeouts.statement, timeouts.lock)]
        opened.execute(
            "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false)", limits
        )
        opened.autocommit = False
        return opened

    def reset_silence(self) -> None:
        """Set the longest permitted silence of the server to the time limit of a statement."""
        self.silence = self.timeouts.statement + GRACE_SECONDS

    @contextmanager
    def silent_for(self, seconds: float) -> Iterator[None]:
        """Permit only `seconds` of silence inside this context."""
        before, self.silence = self.silence, seconds
        try:
            yield
        finally:
            self.silence = before

    def wait(self, gen: PQGen[RV], *arguments: Any, **options: Any) -> RV:
        """Wait for the server as psycopg does. Raises OperationalError after too long a silence."""
        return super().wait(self._bounded(gen), *arguments, **options)

    def _bounded(self, gen: PQGen[RV]) -> PQGen[RV]:
        last_data = time.monotonic()
        try:
            request = next(gen)
            while True:
                ready = yield request
                if ready:
                    last_data = time.monotonic()
                elif self.silence is not None and time.monotonic() - last_data > self.silence:
                    self.close()
                    raise psycopg.OperationalError(f"the server was silent for {self.silence:g} s")
                request = gen.send(ready)
        except StopIteration as done:
            result: RV = done.value
            return result


def connect_postgres(url: URL, timeouts: Timeouts) -> Engine:
    """Return an engine whose connections have these time limits."""
    # Error messages omit the parameters of statements, since specs contain signed URLs.
    engine = create_engine(url, hide_parameters=True, connect_args=_arguments(url, timeouts))

    def connect(_dialect: object, _record: object, arguments: Any, options: Any) -> BoundedConnection:
        return BoundedConnection.open(timeouts, *arguments, **options)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "handle_error", _leave_standby)
    _check_idle(engine, timeouts.connect)
    return engine


def _check_idle(engine: Engine, seconds: float) -> None:
    """Test idle connections before they are used, as the pre-ping of a pool does.

    Connections that were used just now are not tested, which saves busy readers a round trip for each query.
    """

    def on_checkin(connection: BoundedConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["since"] = time.monotonic()
        if connection is not None:  # it is None if it was closed
            connection.reset_silence()

    def on_checkout(connection: BoundedConnection, record: ConnectionPoolEntry, _: object) -> None:
        idle = time.monotonic() - record.info.get("since", time.monotonic())
        if idle > PING_AFTER_SECONDS and not _answers(engine, connection, seconds):
            raise InvalidatePoolError  # the pool then opens new connections

    event.listen(engine, "checkin", on_checkin)
    event.listen(engine, "checkout", on_checkout)


def _answers(engine: Engine, connection: BoundedConnection, seconds: float) -> bool:
    try:
        with connection.silent_for(seconds):
            return engine.dialect.do_ping(connection)  # type: ignore[arg-type]  # the dialect expects a connection of psycopg
    except psycopg.Error:
        return False


def allow_long_statements(session: Session) -> None:
    """Apply the limit for long statements, which read or change all rows of a job, until the transaction ends."""
    connection = session.connection()
    driver = connection.connection.driver_connection
    if isinstance(driver, BoundedConnection):
        seconds = driver.timeouts.long_statement
        _limit(connection, seconds)
        driver.silence = seconds + GRACE_SECONDS


def lift_limits(connection: Connection) -> None:
    """Remove the time limits until the transaction ends, for migrations. A broken network still ends the connection."""
    driver = connection.connection.driver_connection
    if isinstance(driver, BoundedConnection):
        _limit(connection, 0)
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        driver.silence = None


def _limit(connection: Connection, seconds: float) -> None:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")


def _arguments(url: URL, timeouts: Timeouts) -> dict[str, int]:
    """Return the connection options of libpq; those in the URL take precedence."""
    options = {
        "connect_timeout": timeouts.connect,
        "tcp_user_timeout": round(timeouts.tcp * 1000),
        "keepalives_idle": timeouts.keepalive,
        "keepalives_interval": timeouts.keepalive,
        "keepalives_count": PROBES,
    }
    return {name: value for name, value in options.items() if name not in url.query}


def _leave_standby(context: ExceptionContext) -> None:
    """Drop all connections to a read-only standby, since new connections may reach the primary."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True
