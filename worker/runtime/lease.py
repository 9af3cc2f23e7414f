"""Lease of a shard. A thread renews it; the work checks between batches whether the lease is lost."""

import logging
import threading
from collections.abc import Callable
from contextvars import copy_context

from service.domain.work import Shard
from service.errors import DatabaseUnavailable, LeaseLost, WorkerShuttingDown
from service.storage import LeaseStore
from worker.runtime.metrics import PASSES

RENEW_SECONDS = 1.0

log = logging.getLogger(__name__)


class Lease:
    """Context manager that renews the lease of a shard and reports its progress to the database."""

    def __init__(self, leases: LeaseStore, shard: Shard, seconds: float, stopping: Callable[[], bool]) -> None:
        self._leases, self._shard, self._seconds, self._stopping = leases, shard, seconds, stopping
        self._passes = 0
        self._lost, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=copy_context().run, args=[self._renew], name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def passes(self) -> int:
        """Number of forward passes counted so far."""
        return self._passes

    def count(self, passes: int) -> None:
        """Count forward passes. Raises LeaseLost, WorkerShuttingDown."""
        self._passes += passes
        PASSES.inc(passes)
        self.check()

    def check(self) -> None:
        """Raise LeaseLost if another worker has the shard, WorkerShuttingDown if this worker must stop."""
        if self._lost.is_set():
            raise LeaseLost(shard=self._shard.id)
        if self._stopping():
            raise WorkerShuttingDown(shard=self._shard.id)

    def _renew(self) -> None:
        while not self._stop.wait(min(RENEW_SECONDS, self._seconds / 3)):
            try:
                if not self._leases.renew(self._shard, self._seconds, self._passes):
                    self._lost.set()
                    return
            except DatabaseUnavailable as error:
                log.warning("Cannot renew the lease of shard %d; retrying: %s", self._shard.id, error)
