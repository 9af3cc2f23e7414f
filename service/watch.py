"""Waiting for a job to change, without a thread or a connection a waiter.

One question a tick, about all jobs that anyone waits for, wakes those whose job has changed.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from service.errors import DatabaseAway
from service.storage import JobStore

TICK_SECONDS = 0.2


class Watch:
    """The waiters of one process."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._stopped = False
        self._waiters: dict[str, set[tuple[int, asyncio.Event]]] = defaultdict(set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look for changes while this context is open; at its end everyone is woken."""
        task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            task.cancel()
            self.stop()

    def stop(self) -> None:
        """Wake everyone, and let nobody wait any more."""
        self._stopped = True
        for waiters in self._waiters.values():
            for _, event in waiters:
                event.set()

    async def change(self, job: str, version: int, seconds: float) -> bool:
        """Return when the job's version is no longer this one, or after so many seconds: False, if it still is."""
        if self._stopped:
            return False
        waiter = (version, asyncio.Event())
        self._waiters[job].add(waiter)
        try:
            return await asyncio.wait_for(waiter[1].wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._waiters[job].discard(waiter)
            if not self._waiters[job]:
                del self._waiters[job]

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if not self._waiters:
                continue
            # A database that is away for a moment changes nothing; the waiters' own time runs on.
            with suppress(DatabaseAway):
                self._wake(await asyncio.to_thread(self._jobs.versions, list(self._waiters)))

    def _wake(self, now: dict[str, int]) -> None:
        for job, waiters in self._waiters.items():
            for version, event in waiters:
                if now.get(job) != version:
                    event.set()
