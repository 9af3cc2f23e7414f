"""Waiting for a job to change, without a thread or a connection a waiter.

One question a tick, about all jobs that anyone waits for, wakes those whose job has changed.
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
    """Who waits for any of some jobs to have another version than this, and those that were found to have."""

    versions: Mapping[str, int]
    changed: set[str] = field(default_factory=set)
    event: asyncio.Event = field(default_factory=asyncio.Event)


class JobWatch:
    """The waiters of one process."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._stopped = False
        self._waiters: dict[str, set[Waiter]] = defaultdict(set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look for changes while this context is open; at its end everyone is woken."""
        task = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            task.cancel()
            self.stop()

    def stop(self) -> None:
        """Wake everyone, and let nobody wait any more."""
        self._stopped = True
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.event.set()

    @property
    def is_stopped(self) -> bool:
        """Whether nobody may wait any more."""
        return self._stopped

    async def change(self, job: str, version: int, seconds: float) -> bool:
        """Return when the job's version is no longer this one, or after so many seconds: False, if it still is."""
        return bool(await self.changes({job: version}, seconds))

    async def changes(self, versions: Mapping[str, int], seconds: float) -> Collection[str]:
        """The jobs of another version than this, once there is one; none if there is none after so many seconds."""
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
            # A database that is away for a moment changes nothing; the waiters' own time runs on.
            with suppress(DatabaseUnavailable):
                self._notify_waiters(await asyncio.to_thread(self._jobs.versions, list(self._waiters)))

    def _notify_waiters(self, now: dict[str, int]) -> None:
        for job, waiters in self._waiters.items():
            for waiter in waiters:
                if now.get(job) != waiter.versions[job]:
                    waiter.changed.add(job)
                    waiter.event.set()
