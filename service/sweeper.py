"""Finds work that nobody does: leases run out, rings lost. Any API process sweeps; sweeping twice is harmless."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service.queue import Doorbell
from service.storage import ShardStore

log = logging.getLogger(__name__)


def sweep(shards: ShardStore, doorbell: Doorbell) -> None:
    """Give out expired shards again, and ring for all that wait."""
    released = shards.release_expired()
    if released:
        log.warning("%d shard(s) were given out again: their leases had run out", released)
    doorbell.top_up(shards.waiting())


@contextmanager
def sweeping(shards: ShardStore, doorbell: Doorbell, seconds: float) -> Iterator[None]:
    """Sweep every so many seconds, in a thread, while this context is open."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(seconds):
            try:
                sweep(shards, doorbell)
            except Exception:  # whatever it was, the next sweep may find it gone, and nobody else would sweep
                log.exception("A sweep failed; sweeping again in %g s", seconds)

    thread = threading.Thread(target=loop, name="sweeper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
