"""Interrupts a database connection at a chosen statement or commit, as a failover or a failing disk would."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError


@dataclass
class Countdown:
    """Counts events of the thread that created the countdown. Event number `left` calls `act`."""

    left: int
    act: Callable[[Connection], None]
    thread: int = field(default_factory=threading.get_ident)

    @property
    def is_over(self) -> bool:
        """Whether `act` was called."""
        return self.left <= 0

    def count(self, connection: Connection) -> None:
        """Count one event if it happens in this countdown's thread."""
        if threading.get_ident() == self.thread:
            self.left -= 1
            if self.left == 0:
                self.act(connection)


@contextmanager
def after_statement(
    engine: Engine, number: int, act: Callable[[Connection], None], containing: str = ""
) -> Iterator[Countdown]:
    """Call `act` after statement `number` of this thread, before its next statement, COPY or commit.

    Only statements that contain the text `containing` count.
    """
    countdown = Countdown(number, act)

    def executed(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if containing in statement:
            countdown.count(connection)

    with _listening(engine, "after_cursor_execute", executed):
        yield countdown


@contextmanager
def at_commit(engine: Engine, number: int, act: Callable[[Connection], None]) -> Iterator[Countdown]:
    """Call `act` in place of the commit with this number, counted from 1 in this thread."""
    countdown = Countdown(number, act)
    with _listening(engine, "commit", countdown.count):
        yield countdown


def end_backend(connection: Connection) -> None:
    """Make Postgres terminate its process for a connection, and wait until the process has ended."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with psycopg.connect(driver.info.dsn) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [driver.info.backend_pid])


def fail(_connection: Connection) -> None:
    """Raise the error that a database driver raises when the disk of the database fails."""
    raise OperationalError("a statement", None, OSError("disk I/O error"))


def commit_and_fail(connection: Connection) -> None:
    """Commit, and then raise an error, as if the database's answer to the commit was lost."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.commit()
    fail(connection)


@contextmanager
def _listening(engine: Engine, name: str, listener: Callable[..., None]) -> Iterator[None]:
    event.listen(engine, name, listener)
    try:
        yield
    finally:
        event.remove(engine, name, listener)
