"""Calls functions between two transactions of a request, or between any two statements of a thread, to test races."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine, event

HANDLERS = "AnyIO worker thread"  # the names of threads that run route functions begin so
PATIENCE = 0.02  # seconds; a call that takes longer is taken to wait for a lock of the interrupted transaction


@dataclass
class Moment:
    """Calls `act` just before a request opens its n-th transaction, counted from 0."""

    number: int
    act: Callable[[], object]
    reached: bool = False

    def connects(self, *_: object) -> None:
        """Call `act` if this is the n-th connection that requests open to the database.

        Connections of other threads and connections that `act` opens are not counted.
        """
        if self.reached or not threading.current_thread().name.startswith(HANDLERS):
            return
        if self.number == 0:
            self.reached = True
            self.act()
        self.number -= 1


@contextmanager
def acting_before(engine: Engine, number: int, act: Callable[[], object]) -> Iterator[Moment]:
    """Call `act` just before a request opens transaction `number`, while this context is open. Yields the moment."""
    moment = Moment(number, act)
    event.listen(engine, "engine_connect", moment.connects)
    try:
        yield moment
    finally:
        event.remove(engine, "engine_connect", moment.connects)


@dataclass
class Statements:
    """Counts the statements of the thread that created it, and starts each act before the statement of its number.

    The acts run one after another in a thread of their own.
    """

    acts: list[tuple[int, Callable[[], object]]]
    pool: ThreadPoolExecutor
    number: int = 0
    started: list[Future[object]] = field(default_factory=list)
    thread: int = field(default_factory=threading.get_ident)

    def executes(self, *_: object) -> None:
        """Start the acts that come before this statement, and let them finish unless they wait for its transaction."""
        if threading.get_ident() != self.thread:
            return
        due = [self.pool.submit(act) for number, act in self.acts if number == self.number]
        self.started += due
        wait(due, timeout=PATIENCE)
        self.number += 1


@contextmanager
def acting_between_statements(engine: Engine, acts: Iterable[tuple[int, Callable[[], object]]]) -> Iterator[Statements]:
    """Call each act just before this thread executes the statement of its number, counted from 0.

    Yields the count of statements. Acts are finished when the context closes; it raises their errors.
    """
    with ThreadPoolExecutor(1) as pool:
        statements = Statements(list(acts), pool)
        event.listen(engine, "before_cursor_execute", statements.executes)
        try:
            yield statements
        finally:
            event.remove(engine, "before_cursor_execute", statements.executes)
    for each in statements.started:
        each.result()
