"""Runs a function periodically in a background thread."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import DatabaseUnavailable

INITIAL_DELAY = 0.05

log = logging.getLogger(__name__)


@contextmanager
def running_periodically(name: str, step: Callable[[], float], pause: float) -> Iterator[None]:
    """Run `step` repeatedly while this context is open; it returns the seconds until the next run.

    After an exception the next run follows in `pause` seconds.
    """
    stop = threading.Event()

    def loop() -> None:
        delay = min(INITIAL_DELAY, pause)
        while not stop.wait(delay):
            delay = _run_step(name, step, pause)

    thread = threading.Thread(target=loop, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _run_step(name: str, step: Callable[[], float], pause: float) -> float:
    try:
        return step()
    except DatabaseUnavailable:  # the database module has logged it
        return pause
    except Exception:  # the next run may succeed
        log.exception("The %s failed; retrying in %g s", name, pause)
        return pause
