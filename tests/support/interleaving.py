"""Calls a function between two transactions of a request, to test races."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, event

HANDLERS = "AnyIO worker thread"  # the names of threads that run route functions begin so


@dataclass
class Moment:
    """Calls `act` just before a request opens its n-th transaction, counted from 0."""

    number: int
    act: Callable[[], object]
    reached: bool = False

    def connects(self, *_: object) -> None:
        """Count a connection to the database. Only connections of requests count, and none that `act` opens."""
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
