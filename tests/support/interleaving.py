"""Something that happens between the transactions of a request, where a test says."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, event

HANDLERS = "AnyIO worker thread"  # the threads that answer requests, unlike the service's own


@dataclass
class Moment:
    """Just before a request takes a connection for its n-th transaction, counted from 0."""

    number: int
    act: Callable[[], object]
    reached: bool = False

    def connects(self, *_: object) -> None:
        """A connection is taken. Those that the act itself takes do not count."""
        if self.reached or not threading.current_thread().name.startswith(HANDLERS):
            return
        if self.number == 0:
            self.reached = True
            self.act()
        self.number -= 1


@contextmanager
def acting_before(engine: Engine, number: int, act: Callable[[], object]) -> Iterator[Moment]:
    """Have something happen before a request's transaction of that number, of requests sent while this is open."""
    moment = Moment(number, act)
    event.listen(engine, "engine_connect", moment.connects)
    try:
        yield moment
    finally:
        event.remove(engine, "engine_connect", moment.connects)
