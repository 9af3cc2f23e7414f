import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import text

from service.domain.job import Image, JobState
from service.domain.work import ShardKind, ShardResult, Slice
from service.errors import DatabaseUnavailable, LeaseLost
from service.spec.model import spec_digest
from service.storage import Database, Store
from service.storage.shards import bulk_insert
from service.storage.tables.jobs import ImageRow
from tests.support.jobs import AuditInputs
from tests.support.shards import IMAGES, LEASE, claim, plan, result

CREATE_FUNCTION = "CREATE FUNCTION full_() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100'; END $$"
CREATE_TRIGGER = "CREATE TRIGGER full_ BEFORE INSERT ON images EXECUTE FUNCTION full_()"


@pytest.fixture
def job(store: Store, ingredients: AuditInputs) -> str:
    spec = ingredients.spec()
    return store.jobs.accept(spec, spec_digest(spec), None)[0].id


def test_only_one_of_many_workers_claims_a_shard(store: Store, job: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda n: store.leases.claim(f"w{n}", LEASE), range(8)))
    assert len([shard for shard in claimed if shard]) == 1
    assert store.jobs.get(job).state is JobState.RUNNING


def test_a_job_runs_from_its_plan_through_its_slices_to_its_summary(store: Store, job: str) -> None:
    plan(store)
    first, last = claim(store), claim(store)
    assert not store.shards.record_values(first, result(first))
    assert store.shards.record_values(last, result(last))
    summary = claim(store)
    assert (first.kind, summary.kind) == (ShardKind.MEASURE, ShardKind.SUMMARISE)
    store.shards.record_summary(summary, "{}")
    assert store.jobs.get(job).state is JobState.SUCCEEDED
    assert store.jobs.summary(job) == "{}"
    assert store.shards.devices(job) == ["cpu"]


def test_the_summary_is_enqueued_once_even_if_the_last_slices_end_together(store: Store, job: str) -> None:
    plan(store, [Slice(0, n, n + 1) for n in range(4)])
    shards = [claim(store) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda shard: store.shards.record_values(shard, result(shard)), shards))
    assert results.count(True) == 1
    assert store.leases.claimable_count() == 1
    assert store.jobs.get(job).images_done == 4 * 80 // 40


def test_a_shard_whose_lease_expired_is_requeued_and_recorded_once(store: Store, job: str) -> None:
    plan(store)
    late = claim(store, "late", lease=0.0)
    assert store.leases.release_expired() == 1
    again = claim(store, "again")
    assert (again.id, again.attempt) == (late.id, 2)
    store.shards.record_values(again, result(again))
    with pytest.raises(LeaseLost):
        store.shards.record_values(late, result(late))
    assert len(store.images.measured(job, 0, 2)[0].values) == 1


def test_renewing_a_lease_extends_it_and_stores_the_progress(store: Store, job: str) -> None:
    plan(store)
    shard = claim(store, lease=0.0)
    assert store.leases.renew(shard, LEASE, passes=10)
    assert store.leases.release_expired() == 0
    assert store.jobs.get(job).passes_done == 10
    assert store.jobs.get(job).images_done == 1


def test_requeuing_a_shard_resets_its_progress(store: Store, job: str) -> None:
    plan(store)
    shard = claim(store)
    store.leases.renew(shard, LEASE, passes=10)
    store.leases.retry_later(shard, "error")
    assert store.jobs.get(job).passes_done == 0
    assert not store.leases.renew(shard, LEASE, passes=11)


def test_a_worker_of_a_cancelled_job_loses_its_lease_and_stores_nothing(store: Store, job: str) -> None:
    plan(store)
    shard = claim(store)
    store.jobs.cancel(job)
    assert not store.leases.renew(shard, LEASE, 1)
    with pytest.raises(LeaseLost):
        store.shards.record_values(shard, result(shard))
    assert store.images.measured(job, 0, 1)[0].values == []


def test_only_the_holder_of_the_lease_can_fail_a_job(store: Store, job: str) -> None:
    shard = claim(store)
    store.leases.give_back(["w"])
    assert not store.shards.fail(shard, {"type": "t", "detail": "d"})
    assert store.shards.fail(claim(store), {"type": "t", "detail": "d"})
    assert store.jobs.get(job).error == {"type": "t", "detail": "d"}


def test_an_unexpired_lease_is_not_released(store: Store, job: str) -> None:
    claim(store, lease=60)
    assert store.leases.release_expired() == 0
    assert store.jobs.get(job).started_at == pytest.approx(time.time(), abs=60)


def test_images_are_stored_once_in_the_order_of_their_numbers(store: Store, job: str) -> None:
    planner = claim(store)
    pages = [[IMAGES[0], IMAGES[2]], [IMAGES[3], IMAGES[1]]]
    for page in pages + pages:
        store.shards.record_images(planner, page)
    assert store.images.slice(job, 0, 10) == IMAGES


def test_the_reason_for_a_skipped_image_is_stored_whichever_cohort_ends_first(
    store: Store, ingredients: AuditInputs
) -> None:
    spec = ingredients.spec()
    for order in ((0, 1), (1, 0)):
        job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
        plan(store, [Slice(0, 0, 4), Slice(1, 0, 4)])
        shards = {shard.cohort: shard for shard in (claim(store), claim(store))}
        for cohort in order:
            read = Image(0, "0.png", None, "/0.png", sha256="0" * 64)
            found = read if cohort == 0 else read._replace(sha256=None, skipped="truncated file")
            store.shards.record_values(shards[cohort], ShardResult([found], [], 1, "cpu"))
        assert [image.skipped for image in store.images.skipped(job)] == ["truncated file"]
        store.jobs.cancel(job)


def test_a_full_disk_during_copy_makes_the_database_unavailable(migrated_postgres: str) -> None:
    with (
        closing(Database(migrated_postgres)) as database,
        pytest.raises(DatabaseUnavailable),
        database.write() as session,  # the rollback removes the function and the trigger
    ):
        session.execute(text(CREATE_FUNCTION))
        session.execute(text(CREATE_TRIGGER))
        bulk_insert(session, ImageRow, ("job", "number", "name", "path"), [(1, 0, "0.png", "/0.png")])
