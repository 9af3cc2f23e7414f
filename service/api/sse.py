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

from service.api.schemas import JobBody
from service.domain.job import OPEN_STATES, Job, JobState
from service.errors import DatabaseUnavailable, JobNotFound
from service.jobs.watch import JobWatch
from service.storage import JobQuery, JobStore

HEARTBEAT_SECONDS = 15.0  # proxies close what is silent for a minute
RETRY_SECONDS = 0.5  # from one change told to the next
NEW_JOBS_SECONDS = 2.0  # how often a list is looked at for jobs that were not in it
MAX_NEW_JOBS = 20
EVENT_FIELDS = {"id", "name", "labels", "state", "progress", "error", "verdict", "started_at", "finished_at"}

ReadingKey = tuple[JobStore, str]  # a name of what is read, and of whose

OPENING = "retry: 2000\n\n"
HEARTBEAT = ": nothing new\n\n"


@dataclass(frozen=True)
class JobSnapshot:
    """A job at one version, and the JSON that is told of it."""

    job: str
    version: int
    state: JobState
    text: str

    @classmethod
    def of(cls, job: Job) -> "JobSnapshot":
        """A job as it stands now."""
        return cls(job.id, job.version, job.state, JobBody.of(job, time.time()).model_dump_json(include=EVENT_FIELDS))

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return self.state in OPEN_STATES

    def event(self, name: str) -> str:
        """The event of that name."""
        return f"event: {name}\nid: {self.version}\ndata: {self.text}\n\n"


class Feed:
    """The listeners of one process. Each hears of the jobs of its own store, and shares readings within it."""

    def __init__(self, watch: JobWatch) -> None:
        self._watch = watch
        self._reading: dict[ReadingKey, asyncio.Task[list[JobSnapshot]]] = {}

    async def of_job(self, jobs: JobStore, job: str, seen: int | None = None) -> AsyncGenerator[str]:
        """A job as it stands, unless that is the version seen, and each change until it has ended or is forgotten."""
        yield OPENING
        state = None
        while not self._watch.is_stopped:
            now = await self._read_job(jobs, job)
            if now is None:
                yield _deleted_event(job)
                return
            if now.version != seen:
                yield now.event("progress" if now.state is state else "state")
            if not now.is_open:
                return
            seen, state = now.version, now.state
            await asyncio.sleep(RETRY_SECONDS)
            if not await self._watch.change(job, seen, HEARTBEAT_SECONDS):
                yield HEARTBEAT

    async def of_list(self, jobs: JobStore, query: JobQuery) -> AsyncGenerator[str]:
        """The jobs of a list as they stand, their changes, and what comes to the head of the list later."""
        yield OPENING
        held = {each.job: each for each in await self._find_jobs(jobs, query)}
        for each in held.values():
            yield each.event("listed")
        last_sent = time.monotonic()
        while not self._watch.is_stopped:
            events = await self._changes(jobs, held)
            if query.before is None:
                events += await self._new_jobs(jobs, query, held)
            for event in events:
                yield event
            if events:
                last_sent = time.monotonic()
            elif time.monotonic() - last_sent > HEARTBEAT_SECONDS:
                last_sent = time.monotonic()
                yield HEARTBEAT
            await asyncio.sleep(RETRY_SECONDS)

    async def _changes(self, jobs: JobStore, held: dict[str, JobSnapshot]) -> list[str]:
        """Events of what has changed of the open jobs held, once something has or after a while."""
        versions = {job: each.version for job, each in held.items() if each.is_open}
        events = []
        for job in await self._watch.changes(versions, NEW_JOBS_SECONDS):
            before, now = held.pop(job), await self._read_job(jobs, job)
            if now is None:
                events.append(_deleted_event(job))
                continue
            held[job] = now
            if now.version != before.version:
                events.append(now.event("progress" if now.state is before.state else "state"))
        return events

    async def _new_jobs(self, jobs: JobStore, query: JobQuery, held: dict[str, JobSnapshot]) -> list[str]:
        """Events of jobs that the query finds before any that is held; they are held from now on."""
        found = await self._find_jobs(jobs, replace(query, limit=min(query.limit, MAX_NEW_JOBS)))
        new = list(takewhile(lambda each: each.job not in held, found))
        held |= {each.job: each for each in new}
        return [each.event("added") for each in reversed(new)]

    async def _read_job(self, jobs: JobStore, job: str) -> JobSnapshot | None:
        """The job as it stands, as soon as the database answers; None for a job that is not there."""
        with suppress(JobNotFound):
            return (await self._read_when_available((jobs, job), lambda: [JobSnapshot.of(jobs.get(job))]))[0]
        return None

    async def _find_jobs(self, jobs: JobStore, query: JobQuery) -> list[JobSnapshot]:
        def read() -> list[JobSnapshot]:
            return [JobSnapshot.of(job) for job in jobs.find(query).jobs]

        return await self._read_when_available((jobs, repr(query)), read, NEW_JOBS_SECONDS)

    async def _read_when_available(
        self, what: tuple[JobStore, str], read: Callable[[], list[JobSnapshot]], seconds: float = 0
    ) -> list[JobSnapshot]:
        """A reading of what that name stands for, so many seconds old at most. Waits for a database that is away."""
        while True:
            try:
                return await self._share_reading(what, read, seconds)
            except DatabaseUnavailable:
                if self._watch.is_stopped:
                    raise
                await asyncio.sleep(NEW_JOBS_SECONDS)

    async def _share_reading(
        self, what: ReadingKey, read: Callable[[], list[JobSnapshot]], seconds: float
    ) -> list[JobSnapshot]:
        task = self._reading.get(what)
        if task is None:
            task = self._reading[what] = asyncio.create_task(run_in_threadpool(read))
            loop = asyncio.get_running_loop()
            task.add_done_callback(lambda _: loop.call_later(seconds, self._reading.pop, what))
        # One listener's leaving must not end what others wait for.
        return await asyncio.shield(task)


def _deleted_event(job: str) -> str:
    return f'event: forgotten\ndata: {{"id": "{job}"}}\n\n'
