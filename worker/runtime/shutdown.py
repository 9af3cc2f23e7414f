"""Shutdown of a worker: its processes stop between batches, and their shards return to the queue.

Knows Celery's pool only as child processes.
"""

import logging
import mmap
import os
import signal
import socket
import threading
from collections.abc import Callable

from billiard import active_children

log = logging.getLogger(__name__)


class StopFlag:
    """Flag in shared memory: set in one process, visible in all processes forked after it was made."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Request the shutdown of all processes."""
        self._byte[0] = 1

    def __call__(self) -> bool:
        """Whether the shutdown was requested."""
        return self._byte[0] == 1


def process_name(pid: int) -> str:
    """Name of a worker process in the database."""
    return f"{socket.gethostname()}:{pid}"


def stop_within(seconds: float, give_back: Callable[[list[str]], object]) -> None:
    """Start a timer that kills this process and its children after `seconds`, and gives back the children's shards."""
    timer = threading.Timer(seconds, _kill, [give_back])
    timer.daemon = True
    timer.start()


def _kill(give_back: Callable[[list[str]], object]) -> None:
    pids = [child.pid for child in active_children()]
    if pids:
        log.warning("%d process(es) did not stop in time; other workers get their shards", len(pids))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    try:
        give_back([process_name(pid) for pid in pids])
    finally:
        os._exit(0)
