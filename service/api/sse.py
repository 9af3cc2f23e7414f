"""Server-sent events of jobs: the state of a job, and an event for each change. Knows no HTTP.

Concurrent listeners for the same data share one read of the database. An event carries the version of the job, so a
client that reconnects receives only the versions that it has not seen.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from service.api.schemas import JobBody
from service.domain.job import OPEN_STATES, Job, JobState
from service.errors import DatabaseUnavailable, JobNotFound
from service.jobs.watch import JobWatch
from service.storage import JobQuery, JobStore

HEARTBEAT_SECONDS = 15.0  # proxies close a connection that is silent for a minute
MIN_EVENT_SECONDS = 0.5  # shortest time between two events of a stream
NEW_JOBS_SECONDS = 2.0  # time between two queries for new jobs, in the event stream of a list of jobs
MAX_NEW_JOBS = 20
EVENT_FIELDS = {"id", "name", "labels", "state", "progress", "error", "verdict", "started_at", "finished_at"}

ReadKey = tuple[JobStore, str]  # the store of the tenant, and a name for the data that is read

OPENING = format_sse_event(retry=2000)  # milliseconds


@dataclass(frozen=True)
class JobSnapshot:
    """A job at one version, and its JSON for events."""

    job: str
    version: int
    state: JobState
    text: str

    @classmethod
    def from_job(cls, job: Job) -> "JobSnapshot":
        """Create a snapshot of a job."""
        return cls(
            job.id, job.version, job.state, JobBody.from_job(job, time.time()).model_dump_json(include=EVENT_FIELDS)
        )

    @property
    def is_open(self) -> bool:
        """Whether the job can still change."""
        return self.state in OPEN_STATES

    def event(self, name: str) -> bytes:
        """Return an event with this name."""
        return format_sse_event(event=name, id=str(self.version), data_str=self.text)

    def change_since(self, state: JobState | None) -> bytes:
        """Return a `progress` event if the job is still in `state`, otherwise a `state` event."""
        return self.event("progress" if self.state is state else "state")


class Feed:
    """The event streams of one process. Each stream sees the jobs of one tenant's store."""

    def __init__(self, watch: JobWatch) -> None:
        self._watch = watch
        self._reads: dict[ReadKey, asyncio.Task[list[JobSnapshot]]] = {}

    async def job_events(self, jobs: JobStore, job: str, seen: int | None = None) -> AsyncGenerator[bytes]:
        """Yield the state of a job unless its version is `seen`, then each change, until it ends or is deleted."""
        yield OPENING
        state = None
        while not self._watch.is_stopped:
            now = await self._read_job(jobs, job)
            if now is None:
                yield _deleted_event(job)
                return
            if now.version != seen:
                yield now.change_since(state)
            if not now.is_open:
                return
            seen, state = now.version, now.state
            await asyncio.sleep(MIN_EVENT_SECONDS)
            if not await self._watch.change(job, seen, HEARTBEAT_SECONDS):
                yield KEEPALIVE_COMMENT

    async def list_events(self, jobs: JobStore, query: JobQuery) -> AsyncGenerator[bytes]:
        """Yield the jobs that a query finds, then their changes and new jobs at the head of the list."""
        yield OPENING
        known = {each.job: each for each in await self._find_jobs(jobs, query)}
        for each in known.values():
            yield each.event("listed")
        last_sent = time.monotonic()
        while not self._watch.is_stopped:
            events = await self._changes(jobs, known)
            if query.before is None:
                events += await self._new_jobs(jobs, query, known)
            for event in events:
                yield event
            if events:
                last_sent = time.monotonic()
            elif time.monotonic() - last_sent > HEARTBEAT_SECONDS:
                last_sent = time.monotonic()
                yield KEEPALIVE_COMMENT
            await asyncio.sleep(MIN_EVENT_SECONDS)

    async def _changes(self, jobs: JobStore, known: dict[str, JobSnapshot]) -> list[bytes]:
        """Wait for a change of an open job in `known`, update `known`, and return the events."""
        versions = {job: each.version for job, each in known.items() if each.is_open}
        events = []
        for job in await self._watch.changes(versions, NEW_JOBS_SECONDS):
            before, now = known.pop(job), await self._read_job(jobs, job)
            if now is None:
                events.append(_deleted_event(job))
                continue
            known[job] = now
            if now.version != before.version:
                events.append(now.change_since(before.state))
        return events

    async def _new_jobs(self, jobs: JobStore, query: JobQuery, known: dict[str, JobSnapshot]) -> list[bytes]:
        """Find jobs that are newer than all `known` jobs, add them to `known`, and return their events."""
        found = await self._find_jobs(jobs, replace(query, limit=min(query.limit, MAX_NEW_JOBS)))
        new = list(takewhile(lambda each: each.job not in known, found))
        known |= {each.job: each for each in new}
        return [each.event("added") for each in reversed(new)]

    async def _read_job(self, jobs: JobStore, job: str) -> JobSnapshot | None:
        """Return a snapshot of a job, or None if there is no such job. Retries while the database is unavailable."""
        with suppress(JobNotFound):
            return (await self._read_when_available((jobs, job), lambda: [JobSnapshot.from_job(jobs.get(job))]))[0]
        return None

    async def _find_jobs(self, jobs: JobStore, query: JobQuery) -> list[JobSnapshot]:
        """Return snapshots of the jobs that a query finds. They may be NEW_JOBS_SECONDS old."""

        def read() -> list[JobSnapshot]:
            return [JobSnapshot.from_job(job) for job in jobs.find(query).jobs]

        return await self._read_when_available((jobs, repr(query)), read, NEW_JOBS_SECONDS)

    async def _read_when_available(
        self, key: ReadKey, read: Callable[[], list[JobSnapshot]], max_age: float = 0
    ) -> list[JobSnapshot]:
        """Return the result of a read at most `max_age` seconds ago. Retries while the database is unavailable."""
        while True:
            try:
                return await self._share_read(key, read, max_age)
            except DatabaseUnavailable:
                if self._watch.is_stopped:
                    raise
                await asyncio.sleep(NEW_JOBS_SECONDS)

    async def _share_read(
        self, key: ReadKey, read: Callable[[], list[JobSnapshot]], max_age: float
    ) -> list[JobSnapshot]:
        task = self._reads.get(key)
        if task is None:
            task = self._reads[key] = asyncio.create_task(run_in_threadpool(read))
            loop = asyncio.get_running_loop()
            task.add_done_callback(lambda _: loop.call_later(max_age, self._reads.pop, key))
        # The read is shielded, so that a listener that disconnects does not cancel it for the other listeners.
        return await asyncio.shield(task)


def _deleted_event(job: str) -> bytes:
    return format_sse_event(event="forgotten", data_str=json.dumps({"id": job}))
