import time
from collections.abc import Sequence

import pytest
from sqlalchemy import update

from service.domain.job import FORMAT, Image, JobState, Plan, Shard, ShardKind, ShardResult, Slice
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
    """Change all shards, as a later moment or another version would."""
    with store.database.write() as session:
        session.execute(update(ShardRow).values(**values))


def failure(store: Store, job: str) -> str:
    ended = store.jobs.get(job)
    assert (ended.state, (ended.error or {})["type"]) == (JobState.FAILED, "shard-lost")
    assert store.leases.claim("w", LEASE) is None
    return str((ended.error or {})["detail"])


def test_a_shard_that_kills_its_worker_three_times_is_quarantined(store: Store, job: str) -> None:
    for _ in range(LIMITS[DEATHS]):
        claim(store, lease=0)
        store.leases.release_expired()
    assert "killed its worker 3 times" in failure(store, job)


def test_how_many_workers_a_shard_may_kill_is_a_setting(store: Store, job: str) -> None:
    leases = LeaseStore(store.database, limits={**LIMITS, DEATHS: 1})
    claim(store, lease=0)
    leases.release_expired()
    assert "killed its worker 1 times" in failure(store, job)


def test_a_shard_that_takes_the_whole_service_with_it_is_quarantined_at_last(store: Store, job: str) -> None:
    for _ in range(LIMITS[RESTARTS]):
        assert store.jobs.get(job).error is None
        claim(store)
        store.leases.release_all()
    assert "when the service died 10 times" in failure(store, job)


def test_a_shard_in_trouble_pauses_longer_each_time_and_is_given_up_at_last(store: Store, job: str) -> None:
    pauses = []
    for number in range(LIMITS[TROUBLES]):
        shard = claim(store)
        assert shard.last_try == (number == LIMITS[TROUBLES] - 1)
        pauses.append(store.leases.retry_later(shard, "MemoryError: too big"))
        assert store.leases.claim("w", LEASE) is None
        change(store, not_before=0)
    for number, pause in enumerate(pauses[:-1]):
        assert pause is not None
        assert 0.5 * 2**number <= pause <= 2**number
    assert pauses[-1] is None
    assert "ran into trouble 6 times" in failure(store, job)
    assert "MemoryError: too big" in failure(store, job)


def test_a_worker_that_stops_gives_its_shard_back_and_nothing_is_counted(store: Store, job: str) -> None:
    for _ in range(20):
        shard = claim(store)
        assert store.leases.give_back(["other"]) == 0
        assert store.leases.give_back(["other", "w"]) == 1
        assert not store.leases.renew(shard, LEASE, 1)
    assert store.jobs.get(job).state is JobState.RUNNING


def test_a_worker_leaves_shards_that_it_does_not_understand_to_others(store: Store, job: str) -> None:
    change(store, format=FORMAT + 1)
    assert store.leases.claim("old", LEASE) is None
    assert (store.leases.claimable_count(), store.leases.other_version_count()) == (0, 1)
    newer = LeaseStore(store.database, formats=(0, FORMAT + 1))
    assert newer.claimable_count() == 1
    assert newer.claim("new", LEASE)
    assert store.jobs.get(job).error is None


def submit(store: Store, ingredients: AuditInputs, slices: int, tenant: str = "", **changes: object) -> str:
    """A planned job with so many shards of one picture."""
    spec = ingredients.spec(**changes)
    job = store.for_tenant(tenant).jobs.accept(spec, spec_digest(spec), None)[0].id
    while (planner := claim(store)).kind is not ShardKind.PLAN:
        assert planner.job != job
    images = [Image(number, f"{number}.png", None, "") for number in range(slices)]
    store.shards.record_images(planner, images)
    store.shards.record_plan(planner, Plan(slices, [Slice(0, n, n + 1) for n in range(slices)], slices, {}))
    return job


def claimed(store: Store, count: int) -> Sequence[str]:
    """The jobs of the next shards."""
    return [claim(store).job for _ in range(count)]


def test_ten_thousand_shards_delay_a_job_of_one_by_at_most_one(store: Store, ingredients: AuditInputs) -> None:
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


def test_claiming_is_quick_however_many_shards_wait(store: Store, ingredients: AuditInputs) -> None:
    submit(store, ingredients, 10_000)
    submit(store, ingredients, 10_000)
    spans = []
    for _ in range(50):
        start = time.perf_counter()
        claim(store)
        spans.append(time.perf_counter() - start)
    assert sorted(spans)[25] < 0.02


def test_jobs_alternate_once_both_have_begun(store: Store, ingredients: AuditInputs) -> None:
    first = submit(store, ingredients, 20)
    second = submit(store, ingredients, 20)
    found = claimed(store, 20)
    assert [found.count(job) for job in (first, second)] == [10, 10]
    assert all(set(pair) == {first, second} for pair in zip(found[::2], found[1::2], strict=True))


def test_a_tenants_many_jobs_do_not_crowd_out_anothers(store: Store, ingredients: AuditInputs) -> None:
    many = {submit(store, ingredients, 40, "many") for _ in range(5)}
    few = submit(store, ingredients, 40, "few")
    found = claimed(store, 40)
    assert 10 <= found.count(few) <= 20
    assert set(found) == {*many, few}


def test_interactive_work_comes_before_bulk_work(store: Store, ingredients: AuditInputs) -> None:
    bulk = submit(store, ingredients, 10)
    urgent = submit(store, ingredients, 3, priority="interactive")
    assert claimed(store, 5) == [urgent, urgent, urgent, bulk, bulk]


def do_next(store: Store) -> str:
    """Do the next shard, whatever it is, as a worker would. Returns its job's ID."""
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
def test_small_jobs_that_follow_each_other_without_end_leave_a_large_one_its_turns(
    store: Store, ingredients: AuditInputs, tenants: tuple[str, str]
) -> None:
    large = submit(store, ingredients, 100, "large" if tenants[0] else "")
    spec = ingredients.spec()
    small = {store.for_tenant(each).jobs.accept(spec, spec_digest(spec), None)[0].id: each for each in tenants}
    done: list[str] = []
    while len(done) < 40:
        done.append(do_next(store))
        if done[-1] in small and store.jobs.get(done[-1]).state is JobState.SUCCEEDED:
            again = store.for_tenant(small[done[-1]]).jobs.accept(spec, spec_digest(spec), None)[0].id
            small[again] = small.pop(done[-1])
    slices = (40 - done.count(large)) / 3  # of the small ones; the rest are plans and summaries
    assert done.count(large) >= slices / 2 - 1


def test_what_a_cancelled_job_left_undone_delays_no_later_one_of_its_tenant(
    store: Store, ingredients: AuditInputs
) -> None:
    left = submit(store, ingredients, 100, "one")
    claimed(store, 3)
    store.for_tenant("one").jobs.cancel(left)
    submit(store, ingredients, 100, "two")
    small = submit(store, ingredients, 1, "one")
    assert small in claimed(store, 3)
