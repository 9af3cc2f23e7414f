"""Connections to Postgres on which nothing waits for ever.

The server ends statements and waits for locks that take too long. A server that is stopped, or a network that drops
everything, ends nothing, so the client also closes a connection on which nothing has come for longer than that.
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

PING_AFTER_SECONDS = 1.0  # for which a connection that answered is believed to answer
GRACE_SECONDS = 2.0  # that the server's own word of a statement's end may take
PROBES = 3
READ_ONLY = "25006"


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that closes where the server is silent for longer than a statement may take."""

    timeouts = Timeouts()
    silence: float | None = None

    @classmethod
    def open(cls, timeouts: Timeouts, *arguments: Any, **options: Any) -> Self:
        """Connect, and have the server know the limits."""
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
        """Allow the silence of a statement."""
        self.silence = self.timeouts.statement + GRACE_SECONDS

    @contextmanager
    def silent_for(self, seconds: float) -> Iterator[None]:
        """Allow less meanwhile."""
        before, self.silence = self.silence, seconds
        try:
            yield
        finally:
            self.silence = before

    def wait(self, gen: PQGen[RV], *arguments: Any, **options: Any) -> RV:
        """Do what psycopg does wherever it waits for the server. Raises OperationalError on silence."""
        return super().wait(self._bounded(gen), *arguments, **options)

    def _bounded(self, gen: PQGen[RV]) -> PQGen[RV]:
        heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard = time.monotonic()
                elif self.silence is not None and time.monotonic() - heard > self.silence:
                    self.close()
                    raise psycopg.OperationalError(f"the server was silent for {self.silence:g} s")
                wanted = gen.send(ready)
        except StopIteration as done:
            result: RV = done.value
            return result


def connect_postgres(url: URL, timeouts: Timeouts) -> Engine:
    """An engine whose connections have these limits."""
    # An error's text names the statement, but not what was put into it: specs hold signed URLs.
    engine = create_engine(url, hide_parameters=True, connect_args=_arguments(url, timeouts))

    def opens(_dialect: object, _record: object, arguments: Any, options: Any) -> BoundedConnection:
        return BoundedConnection.open(timeouts, *arguments, **options)

    event.listen(engine, "do_connect", opens)
    event.listen(engine, "handle_error", _leave_standby)
    _check_rested(engine, timeouts.connect)
    return engine


def _check_rested(engine: Engine, seconds: float) -> None:
    """Ask connections that have rested whether they still answer before they are used, as a pool's pre-ping does.

    Those of a moment ago are not asked, which saves busy readers a question for each of theirs.
    """

    def rests(connection: BoundedConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["since"] = time.monotonic()
        if connection is not None:  # None was closed
            connection.reset_silence()

    def asks(connection: BoundedConnection, record: ConnectionPoolEntry, _: object) -> None:
        rested = time.monotonic() - record.info.get("since", time.monotonic())
        if rested > PING_AFTER_SECONDS and not _answers(engine, connection, seconds):
            raise InvalidatePoolError  # upon which the pool opens new ones

    event.listen(engine, "checkin", rests)
    event.listen(engine, "checkout", asks)


def _answers(engine: Engine, connection: BoundedConnection, seconds: float) -> bool:
    try:
        with connection.silent_for(seconds):
            return engine.dialect.do_ping(connection)  # type: ignore[arg-type]  # psycopg's own, as the dialect asks
    except psycopg.Error:
        return False


def allow_long_statements(session: Session) -> None:
    """Let each of a transaction's next statements go through all rows of a job, which has a limit of its own."""
    connection = session.connection()
    driver = connection.connection.driver_connection
    if isinstance(driver, BoundedConnection):
        seconds = driver.timeouts.long_statement
        _limit(connection, seconds)
        driver.silence = seconds + GRACE_SECONDS


def lift_limits(connection: Connection) -> None:
    """Let the rest of a transaction take any time, as migrations do; a network that is away still ends it."""
    driver = connection.connection.driver_connection
    if isinstance(driver, BoundedConnection):
        _limit(connection, 0)
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        driver.silence = None


def _limit(connection: Connection, seconds: float) -> None:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")


def _arguments(url: URL, timeouts: Timeouts) -> dict[str, int]:
    """What libpq is told; what the URL says goes before it."""
    given = {
        "connect_timeout": timeouts.connect,
        "tcp_user_timeout": round(timeouts.tcp * 1000),
        "keepalives_idle": timeouts.keepalive,
        "keepalives_interval": timeouts.keepalive,
        "keepalives_count": PROBES,
    }
    return {name: value for name, value in given.items() if name not in url.query}


def _leave_standby(context: ExceptionContext) -> None:
    """Drop all connections to a server that takes no changes: new ones may reach one that does."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True
