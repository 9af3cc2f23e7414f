"""Runs a worker in a thread beside a test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from worker.runner import Runner


@contextmanager
def working(runner: Runner) -> Iterator[None]:
    """Process shards in a thread while this context is open."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            if not runner.work():
                stop.wait(0.02)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
