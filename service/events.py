"""Server-sent events of jobs: how a job stands, told again at each change. Knows no HTTP but the events' own format.

However many listen, a change is read once: who asks while it is being read gets that reading. What is told is told
by version, so a listener who comes back is told only what it has not seen.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile

from fastapi.concurrency import run_in_threadpool

from service.domain import OPEN_STATES, Job, JobState
from service.errors import DatabaseAway, JobNotFound
from service.schemas import JobBody
from service.storage import JobStore, Query
from service.watch import Watch

HEARTBEAT_SECONDS = 15.0  # proxies close what is silent for a minute
PAUSE_SECONDS = 0.5  # from one change told to the next
NEWS_SECONDS = 2.0  # how often a list is looked at for jobs that were not in it
NEWS = 20
TOLD = {"id", "name", "labels", "state", "progress", "error", "verdict", "started_at", "finished_at"}

What = tuple[JobStore, str]  # a name of what is read, and of whose

OPENING = "retry: 2000\n\n"
HEARTBEAT = ": nothing new\n\n"


@dataclass(frozen=True)
class Told:
    """A job at one version, and the JSON that is told of it."""

    job: str
    version: int
    state: JobState
    text: str

    @classmethod
    def of(cls, job: Job) -> "Told":
        """A job as it stands now."""
        return cls(job.id, job.version, job.state, JobBody.of(job, time.time()).model_dump_json(include=TOLD))

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return self.state in OPEN_STATES

    def event(self, name: str) -> str:
        """The event of that name."""
        return f"event: {name}\nid: {self.version}\ndata: {self.text}\n\n"


class Feed:
    """The listeners of one process. Each hears of the jobs of its own store, and shares readings within it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._reading: dict[What, asyncio.Task[list[Told]]] = {}

    async def of_job(self, jobs: JobStore, job: str, seen: int | None = None) -> AsyncGenerator[str]:
        """A job as it stands, unless that is the version seen, and each change until it has ended or is forgotten."""
        yield OPENING
        state = None
        while not self._watch.is_stopped:
            now = await self._look(jobs, job)
            if now is None:
                yield _forgotten(job)
                return
            if now.version != seen:
                yield now.event("progress" if now.state is state else "state")
            if not now.is_open:
                return
            seen, state = now.version, now.state
            await asyncio.sleep(PAUSE_SECONDS)
            if not await self._watch.change(job, seen, HEARTBEAT_SECONDS):
                yield HEARTBEAT

    async def of_list(self, jobs: JobStore, query: Query) -> AsyncGenerator[str]:
        """The jobs of a list as they stand, their changes, and what comes to the head of the list later."""
        yield OPENING
        held = {each.job: each for each in await self._find(jobs, query)}
        for each in held.values():
            yield each.event("listed")
        spoke = time.monotonic()
        while not self._watch.is_stopped:
            told = await self._changes(jobs, held)
            if query.before is None:
                told += await self._news(jobs, query, held)
            for event in told:
                yield event
            if told:
                spoke = time.monotonic()
            elif time.monotonic() - spoke > HEARTBEAT_SECONDS:
                spoke = time.monotonic()
                yield HEARTBEAT
            await asyncio.sleep(PAUSE_SECONDS)

    async def _changes(self, jobs: JobStore, held: dict[str, Told]) -> list[str]:
        """Events of what has changed of the open jobs held, once something has or after a while."""
        versions = {job: each.version for job, each in held.items() if each.is_open}
        events = []
        for job in await self._watch.changes(versions, NEWS_SECONDS):
            before, now = held.pop(job), await self._look(jobs, job)
            if now is None:
                events.append(_forgotten(job))
                continue
            held[job] = now
            if now.version != before.version:
                events.append(now.event("progress" if now.state is before.state else "state"))
        return events

    async def _news(self, jobs: JobStore, query: Query, held: dict[str, Told]) -> list[str]:
        """Events of jobs that the query finds before any that is held; they are held from now on."""
        found = await self._find(jobs, replace(query, limit=min(query.limit, NEWS)))
        new = list(takewhile(lambda each: each.job not in held, found))
        held |= {each.job: each for each in new}
        return [each.event("added") for each in reversed(new)]

    async def _look(self, jobs: JobStore, job: str) -> Told | None:
        """The job as it stands, as soon as the database answers; None for a job that is not there."""
        with suppress(JobNotFound):
            return (await self._answered((jobs, job), lambda: [Told.of(jobs.get(job))]))[0]
        return None

    async def _find(self, jobs: JobStore, query: Query) -> list[Told]:
        def read() -> list[Told]:
            return [Told.of(job) for job in jobs.find(query).jobs]

        return await self._answered((jobs, repr(query)), read, NEWS_SECONDS)

    async def _answered(
        self, what: tuple[JobStore, str], read: Callable[[], list[Told]], seconds: float = 0
    ) -> list[Told]:
        """A reading of what that name stands for, so many seconds old at most. Waits for a database that is away."""
        while True:
            try:
                return await self._shared(what, read, seconds)
            except DatabaseAway:
                if self._watch.is_stopped:
                    raise
                await asyncio.sleep(NEWS_SECONDS)

    async def _shared(self, what: What, read: Callable[[], list[Told]], seconds: float) -> list[Told]:
        task = self._reading.get(what)
        if task is None:
            task = self._reading[what] = asyncio.create_task(run_in_threadpool(read))
            loop = asyncio.get_running_loop()
            task.add_done_callback(lambda _: loop.call_later(seconds, self._reading.pop, what))
        # One listener's leaving must not end what others wait for.
        return await asyncio.shield(task)


def _forgotten(job: str) -> str:
    return f'event: forgotten\ndata: {{"id": "{job}"}}\n\n'
