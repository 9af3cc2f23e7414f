"""Stopping a worker: its processes hear of it between batches, and what they hold goes back to the queue.

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
    """Set in one process, seen in all that were forked from it since the flag was made."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Ask all to stop."""
        self._byte[0] = 1

    def __call__(self) -> bool:
        """Whether all were asked to stop."""
        return self._byte[0] == 1


def name_of_process(pid: int) -> str:
    """What a worker's process is called in the database."""
    return f"{socket.gethostname()}:{pid}"


def stop_within(seconds: float, give_back: Callable[[list[str]], object]) -> None:
    """End this process and its children after so many seconds, if they have not ended by then; theirs is given back."""
    timer = threading.Timer(seconds, _end, [give_back])
    timer.daemon = True
    timer.start()


def _end(give_back: Callable[[list[str]], object]) -> None:
    pids = [child.pid for child in active_children()]
    if pids:
        log.warning("%d process(es) did not stop in time; their shards go to others", len(pids))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    try:
        give_back([name_of_process(pid) for pid in pids])
    finally:
        os._exit(0)
