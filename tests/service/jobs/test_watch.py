import asyncio
import time

from service.jobs.watch import JobWatch
from service.spec.model import spec_digest
from service.storage import Store
from tests.support.jobs import AuditInputs


def accept(store: Store, ingredients: AuditInputs) -> str:
    spec = ingredients.spec()
    return store.jobs.accept(spec, spec_digest(spec), None)[0].id


def test_one_change_of_a_job_wakes_a_thousand_waiting_requests(store: Store, ingredients: AuditInputs) -> None:
    job, other = accept(store, ingredients), accept(store, ingredients)
    version = store.jobs.get(job).version

    async def wait() -> float:
        watch = JobWatch(store.jobs)
        async with watch.running():
            waiting = [asyncio.create_task(watch.change(job, version, 30)) for _ in range(1000)]
            idle = asyncio.create_task(watch.change(other, store.jobs.get(other).version, 30))
            await asyncio.sleep(0.3)
            store.jobs.cancel(job)
            start = time.monotonic()
            await asyncio.gather(*waiting)
            assert not idle.done()
            return time.monotonic() - start

    assert asyncio.run(wait()) < 10


def test_a_wait_for_a_change_ends_at_its_time_limit_and_when_the_watch_stops(
    store: Store, ingredients: AuditInputs
) -> None:
    job = accept(store, ingredients)
    version = store.jobs.get(job).version

    async def wait() -> float:
        watch, start = JobWatch(store.jobs), time.monotonic()
        async with watch.running():
            await watch.change(job, version, 0.1)
            last = asyncio.create_task(watch.change(job, version, 30))
            await asyncio.sleep(0)
        await last
        return time.monotonic() - start

    assert 0.1 <= asyncio.run(wait()) < 10
