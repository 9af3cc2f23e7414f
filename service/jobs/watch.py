"""Waits for changes of jobs, without a thread or a database connection per waiter.

One query per tick reads the versions of all awaited jobs and wakes the waiters of those that changed.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from service.errors import DatabaseUnavailable
from service.storage import JobStore

TICK_SECONDS = 0.2


@dataclass(eq=False)
class Waiter:
    """Waits until one of several jobs no longer has the version in `versions`; `changed` collects the changed jobs."""

    versions: Mapping[str, int]
    changed: set[str] = field(default_factory=set)
    event: asyncio.Event = field(default_factory=asyncio.Event)


class JobWatch:
    """Wakes the waiters of one process when their jobs change."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._stopped = False
        self._waiters: dict[str, set[Waiter]] = defaultdict(set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Poll for changes while this context is open. Its end wakes all waiters."""
        task = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            task.cancel()
            self.stop()

    def stop(self) -> None:
        """Wake all waiters, and let later calls return at once."""
        self._stopped = True
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.event.set()

    @property
    def is_stopped(self) -> bool:
        """Whether the watch has stopped, so that calls return at once."""
        return self._stopped

    async def change(self, job: str, version: int, seconds: float) -> bool:
        """Wait at most `seconds` until the job has another version. Returns whether it changed."""
        return bool(await self.changes({job: version}, seconds))

    async def changes(self, versions: Mapping[str, int], seconds: float) -> Collection[str]:
        """Wait at most `seconds` until a job no longer has the given version. Returns the changed jobs."""
        waiter = Waiter(versions)
        if not self._stopped:
            for job in versions:
                self._waiters[job].add(waiter)
            with suppress(TimeoutError):
                await self._wait(waiter, seconds)
        return waiter.changed

    async def _wait(self, waiter: Waiter, seconds: float) -> None:
        try:
            await asyncio.wait_for(waiter.event.wait(), seconds)
        finally:
            for job in waiter.versions:
                self._waiters[job].discard(waiter)
                if not self._waiters[job]:
                    del self._waiters[job]

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if not self._waiters:
                continue
            # While the database is unavailable, nothing changes; the time limits of the waiters still apply.
            with suppress(DatabaseUnavailable):
                self._notify_waiters(await asyncio.to_thread(self._jobs.versions, list(self._waiters)))

    def _notify_waiters(self, versions: dict[str, int]) -> None:
        for job, waiters in self._waiters.items():
            for waiter in waiters:
                if versions.get(job) != waiter.versions[job]:
                    waiter.changed.add(job)
                    waiter.event.set()
