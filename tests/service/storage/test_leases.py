import timeit
from collections.abc import Sequence

import pytest
from sqlalchemy import update

from service.domain.format import FORMAT
from service.domain.job import Image, JobState
from service.domain.work import Plan, Shard, ShardKind, ShardResult, Slice
from service.spec.model import spec_digest
from service.storage import LeaseStore, Store
from service.storage.leases import DEATHS, LIMITS, RESTARTS, TROUBLES
from service.storage.tables.jobs import ShardRow
from tests.support.jobs import AuditInputs

LEASE = 30.0


@pytest.fixture
def job(store: Store, ingredients: AuditInputs) -> str:
    spec = ingredients.spec()
    return store.jobs.accept(spec, spec_digest(spec), None)[0].id


def claim(store: Store, lease: float = LEASE) -> Shard:
    shard = store.leases.claim("w", lease)
    assert shard is not None
    return shard


def change(store: Store, **values: float) -> None:
    """Set columns of all shards, to simulate a later time or another format version."""
    with store.database.write() as session:
        session.execute(update(ShardRow).values(**values))


def failure_detail(store: Store, job: str) -> str:
    ended = store.jobs.get(job)
    assert (ended.state, (ended.error or {})["type"]) == (JobState.FAILED, "shard-lost")
    assert store.leases.claim("w", LEASE) is None
    return str((ended.error or {})["detail"])


def test_a_shard_that_kills_its_worker_three_times_is_quarantined(store: Store, job: str) -> None:
    for _ in range(LIMITS[DEATHS]):
        claim(store, lease=0)
        store.leases.release_expired()
    assert "killed its worker 3 times" in failure_detail(store, job)


def test_the_number_of_killed_workers_before_quarantine_is_configurable(store: Store, job: str) -> None:
    leases = LeaseStore(store.database, limits={**LIMITS, DEATHS: 1})
    claim(store, lease=0)
    leases.release_expired()
    assert "killed its worker 1 times" in failure_detail(store, job)


def test_a_shard_that_crashes_the_whole_service_is_quarantined(store: Store, job: str) -> None:
    for _ in range(LIMITS[RESTARTS]):
        assert store.jobs.get(job).error is None
        claim(store)
        store.leases.release_all()
    assert "when the service stopped unexpectedly 10 times" in failure_detail(store, job)


def test_the_delay_of_a_shard_grows_with_each_transient_error_until_its_job_fails(store: Store, job: str) -> None:
    delays = []
    for number in range(LIMITS[TROUBLES]):
        shard = claim(store)
        assert shard.last_try == (number == LIMITS[TROUBLES] - 1)
        delays.append(store.leases.retry_later(shard, "MemoryError: too big"))
        assert store.leases.claim("w", LEASE) is None
        change(store, not_before=0)
    for number, delay in enumerate(delays[:-1]):
        assert delay is not None
        assert 0.5 * 2**number <= delay <= 2**number
    assert delays[-1] is None
    assert "had a transient error 6 times" in failure_detail(store, job)
    assert "MemoryError: too big" in failure_detail(store, job)


def test_a_worker_that_shuts_down_gives_its_shard_back_without_a_failure(store: Store, job: str) -> None:
    for _ in range(20):
        shard = claim(store)
        assert store.leases.give_back(["other"]) == 0
        assert store.leases.give_back(["other", "w"]) == 1
        assert not store.leases.renew(shard, LEASE, 1)
    assert store.jobs.get(job).state is JobState.RUNNING


def test_a_worker_does_not_claim_shards_of_an_unsupported_format(store: Store, job: str) -> None:
    change(store, format=FORMAT + 1)
    assert store.leases.claim("old", LEASE) is None
    assert store.leases.claimable_count() == 0
    newer = LeaseStore(store.database, formats=(0, FORMAT + 1))
    assert newer.claimable_count() == 1
    assert newer.claim("new", LEASE)
    assert store.jobs.get(job).error is None


def submit(store: Store, ingredients: AuditInputs, slices: int, tenant: str = "", **changes: object) -> str:
    """Submit and plan a job whose slices have one image each. Returns the job's ID."""
    spec = ingredients.spec(**changes)
    job = store.for_tenant(tenant).jobs.accept(spec, spec_digest(spec), None)[0].id
    while (planner := claim(store)).kind is not ShardKind.PLAN:
        assert planner.job != job
    images = [Image(number, f"{number}.png", None, "") for number in range(slices)]
    store.shards.record_images(planner, images)
    store.shards.record_plan(planner, Plan(slices, [Slice(0, n, n + 1) for n in range(slices)], slices, {}))
    return job


def claimed(store: Store, count: int) -> Sequence[str]:
    """Claim the next `count` shards. Returns the IDs of their jobs."""
    return [claim(store).job for _ in range(count)]


def test_ten_thousand_shards_delay_a_small_job_by_at_most_one_shard(store: Store, ingredients: AuditInputs) -> None:
    large = submit(store, ingredients, 10_000)
    claimed(store, 50)
    spec = ingredients.spec()
    small = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    plan = claim(store)
    store.shards.record_images(plan, [Image(0, "0.png", None, "")])
    store.shards.record_plan(plan, Plan(1, [Slice(0, 0, 1)], 1, {}))
    measure = claim(store)
    assert store.shards.record_values(measure, ShardResult([], [], 1, "cpu"))
    summary = claim(store)
    assert [each.job for each in (plan, measure, summary)] == [small] * 3
    assert claimed(store, 1) == [large]


def shortest_claim(store: Store) -> float:
    """Return the seconds of the fastest of 30 claims, since other processes can slow a single claim."""
    return min(timeit.repeat(lambda: claim(store), number=1, repeat=30))


def test_claiming_a_shard_takes_no_longer_if_many_shards_wait(store: Store, ingredients: AuditInputs) -> None:
    submit(store, ingredients, 40)
    few = shortest_claim(store)
    submit(store, ingredients, 20_000)
    assert shortest_claim(store) < 3 * few  # without the index on waiting shards, SQLite takes 4.6 times as long


def test_workers_claim_shards_of_two_jobs_of_one_tenant_in_turn(store: Store, ingredients: AuditInputs) -> None:
    first = submit(store, ingredients, 20)
    second = submit(store, ingredients, 20)
    found = claimed(store, 20)
    assert [found.count(job) for job in (first, second)] == [10, 10]
    assert all(set(pair) == {first, second} for pair in zip(found[::2], found[1::2], strict=True))


def test_many_jobs_of_one_tenant_do_not_starve_another_tenant(store: Store, ingredients: AuditInputs) -> None:
    many = {submit(store, ingredients, 40, "many") for _ in range(5)}
    few = submit(store, ingredients, 40, "few")
    found = claimed(store, 40)
    assert 10 <= found.count(few) <= 20
    assert set(found) == {*many, few}


def test_interactive_jobs_precede_bulk_jobs(store: Store, ingredients: AuditInputs) -> None:
    bulk = submit(store, ingredients, 10)
    urgent = submit(store, ingredients, 3, priority="interactive")
    assert claimed(store, 5) == [urgent, urgent, urgent, bulk, bulk]


def process_next(store: Store) -> str:
    """Process the next shard as a worker would. Returns the ID of its job."""
    shard = claim(store)
    if shard.kind is ShardKind.PLAN:
        store.shards.record_images(shard, [Image(0, "0.png", None, "")])
        store.shards.record_plan(shard, Plan(1, [Slice(0, 0, 1)], 1, {}))
    elif shard.kind is ShardKind.MEASURE:
        store.shards.record_values(shard, ShardResult([], [], 1, "cpu"))
    else:
        store.shards.record_summary(shard, "{}")
    return shard.job


@pytest.mark.parametrize("tenants", [("one", "two"), ("", "")])
def test_an_endless_series_of_small_jobs_does_not_starve_a_large_job(
    store: Store, ingredients: AuditInputs, tenants: tuple[str, str]
) -> None:
    large = submit(store, ingredients, 100, "large" if tenants[0] else "")
    spec = ingredients.spec()
    small = {store.for_tenant(each).jobs.accept(spec, spec_digest(spec), None)[0].id: each for each in tenants}
    done: list[str] = []
    while len(done) < 40:
        done.append(process_next(store))
        if done[-1] in small and store.jobs.get(done[-1]).state is JobState.SUCCEEDED:
            again = store.for_tenant(small[done[-1]]).jobs.accept(spec, spec_digest(spec), None)[0].id
            small[again] = small.pop(done[-1])
    slices = (40 - done.count(large)) / 3  # of the small jobs, which have a plan and a summary for each slice
    assert done.count(large) >= slices / 2 - 1


def test_unfinished_shards_of_a_cancelled_job_do_not_delay_later_jobs_of_its_tenant(
    store: Store, ingredients: AuditInputs
) -> None:
    cancelled = submit(store, ingredients, 100, "one")
    claimed(store, 3)
    store.for_tenant("one").jobs.cancel(cancelled)
    submit(store, ingredients, 100, "two")
    small = submit(store, ingredients, 1, "one")
    assert small in claimed(store, 3)
