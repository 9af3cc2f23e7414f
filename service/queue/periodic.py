"""Work that comes again and again, in a thread beside the requests."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import DatabaseUnavailable

FIRST_PAUSE = 0.05

log = logging.getLogger(__name__)


@contextmanager
def running_periodically(name: str, step: Callable[[], float], pause: float) -> Iterator[None]:
    """Do a step while this context is open, each as many seconds after the last as that returned.

    Whatever a step raises, the next comes after `pause` seconds.
    """
    stop = threading.Event()

    def loop() -> None:
        rest = min(FIRST_PAUSE, pause)
        while not stop.wait(rest):
            rest = _run_step(name, step, pause)

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
    except DatabaseUnavailable:  # it has been logged
        return pause
    except Exception:  # whatever it was, the next step may find it gone
        log.exception("The %s failed; it goes on in %g s", name, pause)
        return pause
