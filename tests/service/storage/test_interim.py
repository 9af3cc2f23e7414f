from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from sqlalchemy import update

from service.domain.job import Image, Job, JobState
from service.domain.work import Plan, Shard, ShardKind, ShardResult, Slice, Values
from service.errors import LeaseLost
from service.spec.model import spec_digest
from service.storage import Store
from service.storage.interim import MIN_STEP, next_interim_look
from service.storage.tables.jobs import JobRow
from tests.support.jobs import AuditInputs

TOTAL, SIZE = 96, 16


@pytest.fixture
def job(store: Store, ingredients: AuditInputs) -> str:
    """The ID of a planned job that stops when decided. It has six slices, and a look after every second slice."""
    gate = {"rules": [{"measure": "entropy", "op": ">=", "value": 0.5}]}
    return submit_planned(store, ingredients, gate=gate, stop="when-decided")


def submit_planned(store: Store, ingredients: AuditInputs, **changes: object) -> str:
    spec = ingredients.spec(**changes)
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    plan = claim(store)
    store.shards.record_images(plan, [Image(n, f"{n}.png", None, f"/{n}.png") for n in range(TOTAL)])
    slices = [Slice(0, start, start + SIZE) for start in range(0, TOTAL, SIZE)]
    facts: dict[str, object] = {"columns": {"run": [], "across": [[]]}, "out_of_set": None}
    store.shards.record_plan(plan, Plan(TOTAL, slices, TOTAL, facts))
    return job


def claim(store: Store, worker: str = "w", lease: float = 30.0) -> Shard:
    shard = store.leases.claim(worker, lease)
    assert shard is not None
    return shard


def record(store: Store, shard: Shard) -> bool:
    assert shard.kind is ShardKind.MEASURE
    numbers = range(shard.start, shard.stop)
    images = [Image(n, f"{n}.png", None, f"/{n}.png", sha256=f"{n:064}") for n in numbers]
    return store.shards.record_values(
        shard, ShardResult(images, [Values(0, 0, n, b"12345678") for n in numbers], 16, "cpu")
    )


def measure(store: Store) -> bool:
    return record(store, claim(store))


def get_job(store: Store, job: str) -> Job:
    return store.jobs.get(job)


def test_an_interim_look_is_enqueued_when_the_last_slice_of_its_images_is_recorded(store: Store, job: str) -> None:
    first, second, third = (claim(store, name) for name in "abc")
    assert not record(store, third)
    assert not record(store, second)
    assert record(store, first)
    look = claim(store)
    assert (look.kind, look.stop) == (ShardKind.LOOK, 32)


def test_a_job_has_at_most_one_interim_look_at_a_time(store: Store, job: str) -> None:
    shards = [claim(store) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda shard: record(store, shard), shards)) == 1
    first = claim(store)
    assert store.interim.record(first, {"images": 32}, decided=False, seconds=0.1)
    second = claim(store)
    assert [each.stop for each in (first, second)] == [32, 64]
    assert get_job(store, job).so_far == {"images": 32}


def test_a_decided_job_continues_with_its_summary_and_its_other_shards_lose_their_leases(
    store: Store, job: str
) -> None:
    measure(store), measure(store)
    look, beyond = claim(store), claim(store)
    assert record(store, claim(store)) is False
    assert store.interim.record(look, {"images": 32}, decided=True, seconds=0.1)
    assert not store.leases.renew(beyond, 30.0, passes=1)
    with pytest.raises(LeaseLost):
        record(store, beyond)
    assert claim(store).kind is ShardKind.SUMMARISE
    assert store.leases.claim("w", 30.0) is None
    ended = get_job(store, job)
    assert (ended.stopped_at, ended.images_done, ended.images_total) == (32, 32, TOTAL)
    assert ended.image_sets[0].stop == 32


def test_an_interim_look_whose_worker_died_is_requeued_and_recorded_once(store: Store, job: str) -> None:
    measure(store), measure(store)
    late = claim(store, "late", lease=0.0)
    assert store.leases.release_expired() == 1
    again = claim(store, "again")
    assert (again.id, again.attempt) == (late.id, 2)
    store.interim.record(again, {"images": 32}, decided=False, seconds=0.1)
    with pytest.raises(LeaseLost):
        store.interim.record(late, {"images": 0}, decided=True, seconds=0.1)
    assert get_job(store, job).stopped_at is None


def test_the_summary_follows_an_interim_look_at_all_images(store: Store, job: str) -> None:
    for _ in range(3):
        measure(store), measure(store)
        store.interim.record(claim(store), {}, decided=False, seconds=0.1)
    assert claim(store).kind is ShardKind.SUMMARISE
    assert get_job(store, job).stopped_at is None


def test_interim_looks_run_in_order_even_if_all_images_are_measured(store: Store, job: str) -> None:
    for shard in [claim(store) for _ in range(6)]:
        record(store, shard)
    assert store.interim.record(claim(store), {}, decided=True, seconds=0.1)
    assert claim(store).kind is ShardKind.SUMMARISE
    assert get_job(store, job).stopped_at == 32


def test_a_job_that_stops_early_does_not_list_skipped_images_beyond_its_stop(store: Store, job: str) -> None:
    shards = [claim(store) for _ in range(3)]
    skipped = [Image(40, "40.png", None, "/40.png", skipped="not an image")]
    store.shards.record_values(shards[2], ShardResult(skipped, [], 16, "cpu"))
    assert len(store.images.skipped(job)) == 1
    record(store, shards[0]), record(store, shards[1])
    store.interim.record(claim(store), {}, decided=True, seconds=0.1)
    assert store.images.skipped(job) == []


def test_a_job_that_cannot_stop_early_has_periodic_interim_looks_but_none_before_its_summary(
    store: Store, ingredients: AuditInputs
) -> None:
    job = submit_planned(store, ingredients)
    assert not measure(store)  # the first periodic look is not due yet
    _make_look_due(store, job)
    assert measure(store)
    look = claim(store)
    assert (look.kind, look.stop) == (ShardKind.LOOK, 0)
    store.interim.record(look, {"images": 32}, decided=False, seconds=3.0)
    assert not measure(store)
    _make_look_due(store, job)
    assert measure(store)
    waiting = claim(store)
    assert waiting.kind is ShardKind.LOOK
    assert not measure(store)
    assert measure(store)
    with pytest.raises(LeaseLost):
        store.interim.record(waiting, {}, decided=False, seconds=0.1)
    assert claim(store).kind is ShardKind.SUMMARISE


def _make_look_due(store: Store, job: str) -> None:
    with store.database.write() as session:
        session.execute(update(JobRow).where(JobRow.id == job).values(look_after=0.0))


def test_an_interim_look_of_a_cancelled_job_records_nothing(store: Store, job: str) -> None:
    measure(store), measure(store)
    look = claim(store)
    store.jobs.cancel(job)
    with pytest.raises(LeaseLost):
        store.interim.record(look, {}, decided=True, seconds=0.1)
    assert get_job(store, job).state is JobState.CANCELLED
    assert store.leases.claim("w", 30.0) is None


def interim_looks(total: int) -> list[int]:
    seen = [0]
    while seen[-1] < total:
        seen.append(next_interim_look(seen[-1], total))
    return seen[1:]


def test_interim_looks_follow_every_step_and_later_every_sixteenth_of_the_images_seen() -> None:
    found = interim_looks(1_000_000)
    assert found[:3] == [MIN_STEP, 2 * MIN_STEP, 3 * MIN_STEP]
    assert all(after - before <= max(MIN_STEP, before / 16) for before, after in pairwise(found))
    assert len(found) < 200


@pytest.mark.parametrize("total", [1, MIN_STEP, MIN_STEP + 1, 2_000])
def test_the_last_interim_look_covers_all_images(total: int) -> None:
    assert interim_looks(total)[-1] == total
