import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from service.api.sse import Feed
from service.domain.job import Job
from service.jobs.watch import JobWatch
from service.spec.model import spec_digest
from service.storage import JobQuery, Store
from tests.support.jobs import AuditInputs

# On SQLite alone, since other tests run the same queries on Postgres.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def accept(store: Store, ingredients: AuditInputs, **changes: Any) -> Job:
    spec = ingredients.spec(**changes)
    return store.jobs.accept(spec, spec_digest(spec), None)[0]


def parse(event: bytes) -> tuple[str, dict[str, Any]]:
    """Return the name and the JSON data of a server-sent event."""
    fields = dict(line.split(": ", 1) for line in event.decode().strip().splitlines())
    return fields["event"], json.loads(fields["data"])


async def names(events: AsyncIterator[bytes], count: int) -> Sequence[tuple[str, str]]:
    """Return the names and the job IDs of the next `count` events."""
    found = []
    async for event in events:
        if event.startswith(b"event:"):
            name, data = parse(event)
            found.append((name, data["id"]))
        if len(found) == count:
            break
    return found


def test_a_thousand_streams_send_the_current_and_the_final_state_of_a_job(
    store: Store, ingredients: AuditInputs
) -> None:
    job = accept(store, ingredients)

    streams: list[list[bytes]] = [[] for _ in range(1000)]

    async def listen(feed: Feed, received: list[bytes]) -> list[bytes]:
        async for event in feed.job_events(store.jobs, job.id):
            received.append(event)
        return received

    async def receive() -> tuple[list[list[bytes]], float]:
        watch = JobWatch(store.jobs)
        async with watch.running():
            feed = Feed(watch)
            listening = [asyncio.create_task(listen(feed, received)) for received in streams]
            while not all(any(event.startswith(b"event:") for event in received) for received in streams):
                await asyncio.sleep(0.01)
            await asyncio.to_thread(store.jobs.cancel, job.id)
            start = time.monotonic()
            return await asyncio.gather(*listening), time.monotonic() - start

    received, seconds = asyncio.run(receive())
    states = [[parse(event)[1]["state"] for event in each if event.startswith(b"event:")] for each in received]
    assert states == [["queued", "cancelled"]] * 1000
    assert seconds < 10


def test_an_event_stream_skips_the_version_that_the_client_has_seen(store: Store, ingredients: AuditInputs) -> None:
    job = accept(store, ingredients)
    ended = store.jobs.cancel(job.id)

    async def stream(seen: int) -> list[bytes]:
        return [event async for event in Feed(JobWatch(store.jobs)).job_events(store.jobs, job.id, seen)]

    assert [f"id: {ended.version}".encode() in event for event in asyncio.run(stream(job.version))] == [False, True]
    assert len(asyncio.run(stream(ended.version))) == 1


def test_the_event_stream_of_the_job_list_sends_jobs_changes_and_deletions(
    store: Store, ingredients: AuditInputs
) -> None:
    older, newer = accept(store, ingredients, name="n"), accept(store, ingredients, name="n")

    async def receive() -> list[tuple[str, str]]:
        watch = JobWatch(store.jobs)
        async with watch.running():
            events = Feed(watch).list_events(store.jobs, JobQuery(name="n"))
            received = [*await names(events, 2)]
            await asyncio.to_thread(store.jobs.cancel, older.id)
            received += await names(events, 1)
            await asyncio.to_thread(store.jobs.delete, newer.id)
            return [*received, *await names(events, 1)]

    found = asyncio.run(receive())
    assert found == [("listed", newer.id), ("listed", older.id), ("state", older.id), ("forgotten", newer.id)]


def test_the_event_stream_of_the_job_list_sends_only_new_jobs_that_match_its_query(
    store: Store, ingredients: AuditInputs
) -> None:
    async def receive() -> list[tuple[str, str]]:
        watch = JobWatch(store.jobs)
        async with watch.running():
            events = Feed(watch).list_events(store.jobs, JobQuery(name="n"))
            waiting = asyncio.create_task(names(events, 1))
            await asyncio.sleep(0.1)
            await asyncio.to_thread(accept, store, ingredients, name="other")
            await asyncio.to_thread(accept, store, ingredients, name="n")
            return [*await waiting]

    ((name, job),) = asyncio.run(receive())
    assert (name, store.jobs.get(job).spec.name) == ("added", "n")


def test_event_streams_end_when_the_job_watch_stops(store: Store, ingredients: AuditInputs) -> None:
    job = accept(store, ingredients)

    async def receive() -> float:
        watch = JobWatch(store.jobs)
        async with watch.running():
            feed = Feed(watch)
            streams = feed.job_events(store.jobs, job.id), feed.list_events(store.jobs, JobQuery())
            listening = [asyncio.create_task(names(each, 9)) for each in streams]
            await asyncio.sleep(0.7)
        start = time.monotonic()
        await asyncio.gather(*listening)
        return time.monotonic() - start

    assert asyncio.run(receive()) < 5
