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

# SQLite alone: no query here is new.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def accept(store: Store, ingredients: AuditInputs, **changes: Any) -> Job:
    spec = ingredients.spec(**changes)
    return store.jobs.accept(spec, spec_digest(spec), None)[0]


def parse(event: str) -> tuple[str, dict[str, Any]]:
    """Name and data of an event."""
    fields = dict(line.split(": ", 1) for line in event.strip().splitlines())
    return fields["event"], json.loads(fields["data"])


async def names(events: AsyncIterator[str], count: int) -> Sequence[tuple[str, str]]:
    """Name and job of the next events, comments left out."""
    found = []
    async for event in events:
        if event.startswith("event:"):
            name, data = parse(event)
            found.append((name, data["id"]))
        if len(found) == count:
            break
    return found


def test_a_thousand_listeners_hear_how_a_job_stands_and_how_it_ends(store: Store, ingredients: AuditInputs) -> None:
    job = accept(store, ingredients)

    listeners: list[list[str]] = [[] for _ in range(1000)]

    async def listen(feed: Feed, message: list[str]) -> list[str]:
        async for event in feed.of_job(store.jobs, job.id):
            message.append(event)
        return message

    async def hear() -> tuple[list[list[str]], float]:
        watch = JobWatch(store.jobs)
        async with watch.running():
            feed = Feed(watch)
            listening = [asyncio.create_task(listen(feed, message)) for message in listeners]
            while not all(any(event.startswith("event:") for event in message) for message in listeners):
                await asyncio.sleep(0.01)
            await asyncio.to_thread(store.jobs.cancel, job.id)
            start = time.monotonic()
            return await asyncio.gather(*listening), time.monotonic() - start

    heard, seconds = asyncio.run(hear())
    states = [[parse(event)[1]["state"] for event in each if event.startswith("event:")] for each in heard]
    assert states == [["queued", "cancelled"]] * 1000
    assert seconds < 10


def test_what_was_seen_is_not_told_again(store: Store, ingredients: AuditInputs) -> None:
    job = accept(store, ingredients)
    ended = store.jobs.cancel(job.id)

    async def tell(seen: int) -> list[str]:
        return [event async for event in Feed(JobWatch(store.jobs)).of_job(store.jobs, job.id, seen)]

    assert [f"id: {ended.version}" in event for event in asyncio.run(tell(job.version))] == [False, True]
    assert len(asyncio.run(tell(ended.version))) == 1


def test_a_list_tells_what_it_holds_what_changes_and_what_comes(store: Store, ingredients: AuditInputs) -> None:
    older, newer = accept(store, ingredients, name="n"), accept(store, ingredients, name="n")

    async def hear() -> list[tuple[str, str]]:
        watch = JobWatch(store.jobs)
        async with watch.running():
            events = Feed(watch).of_list(store.jobs, JobQuery(name="n"))
            heard = [*await names(events, 2)]
            await asyncio.to_thread(store.jobs.cancel, older.id)
            heard += await names(events, 1)
            await asyncio.to_thread(store.jobs.delete, newer.id)
            return [*heard, *await names(events, 1)]

    found = asyncio.run(hear())
    assert found == [("listed", newer.id), ("listed", older.id), ("state", older.id), ("forgotten", newer.id)]


def test_a_list_hears_of_new_jobs_of_its_own_kind_only(store: Store, ingredients: AuditInputs) -> None:
    async def hear() -> list[tuple[str, str]]:
        watch = JobWatch(store.jobs)
        async with watch.running():
            events = Feed(watch).of_list(store.jobs, JobQuery(name="n"))
            waiting = asyncio.create_task(names(events, 1))
            await asyncio.sleep(0.1)
            await asyncio.to_thread(accept, store, ingredients, name="other")
            await asyncio.to_thread(accept, store, ingredients, name="n")
            return [*await waiting]

    ((name, job),) = asyncio.run(hear())
    assert (name, store.jobs.get(job).spec.name) == ("added", "n")


def test_listeners_go_when_the_watch_ends(store: Store, ingredients: AuditInputs) -> None:
    job = accept(store, ingredients)

    async def hear() -> float:
        watch = JobWatch(store.jobs)
        async with watch.running():
            feed = Feed(watch)
            streams = feed.of_job(store.jobs, job.id), feed.of_list(store.jobs, JobQuery())
            listening = [asyncio.create_task(names(each, 9)) for each in streams]
            await asyncio.sleep(0.7)
        start = time.monotonic()
        await asyncio.gather(*listening)
        return time.monotonic() - start

    assert asyncio.run(hear()) < 5
