"""Calls a function between two transactions of a request, to test races."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, event

HANDLERS = "AnyIO worker thread"  # prefix of the names of the threads that answer requests


@dataclass
class Moment:
    """Calls `act` just before a request opens its n-th transaction, counted from 0."""

    number: int
    act: Callable[[], object]
    reached: bool = False

    def connects(self, *_: object) -> None:
        """Count a connection of a request. Connections that `act` opens do not count."""
        if self.reached or not threading.current_thread().name.startswith(HANDLERS):
            return
        if self.number == 0:
            self.reached = True
            self.act()
        self.number -= 1


@contextmanager
def acting_before(engine: Engine, number: int, act: Callable[[], object]) -> Iterator[Moment]:
    """Call `act` before transaction `number` of a request that is sent while this context is open."""
    moment = Moment(number, act)
    event.listen(engine, "engine_connect", moment.connects)
    try:
        yield moment
    finally:
        event.remove(engine, "engine_connect", moment.connects)
