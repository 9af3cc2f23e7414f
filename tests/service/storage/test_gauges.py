from service.domain.work import Plan, Slice
from service.storage import Store
from service.storage.gauges import GAUGES, read_gauges
from tests.support.jobs import AuditInputs


def test_an_empty_database_reports_zero_for_every_state(store: Store) -> None:
    found = read_gauges(store.database)
    assert set(found) == set(GAUGES)
    assert found["salience_jobs"] == dict.fromkeys(["queued", "running", "succeeded", "failed", "cancelled"], 0.0)
    assert found["salience_queue_age_seconds"] == {"": 0.0}


def test_gauges_report_jobs_shards_and_workers(store: Store, ingredients: AuditInputs) -> None:
    for number in range(3):
        store.jobs.accept(ingredients.spec(), f"digest {number}", None)
    shard = store.leases.claim("one", 30)
    assert shard is not None
    store.shards.record_plan(shard, Plan(8, [Slice(0, 0, 4), Slice(0, 4, 8)], 16, {}))
    measuring = store.leases.claim("two", 30)
    assert measuring is not None
    store.leases.renew(measuring, 30, 100)
    store.jobs.cancel(store.jobs.accept(ingredients.spec(), "digest", None)[0].id)

    found = read_gauges(store.database)
    assert found["salience_jobs"]["queued"] + found["salience_jobs"]["running"] == 3
    assert found["salience_jobs"]["cancelled"] == 1
    assert found["salience_shards"] == {"waiting": 3.0, "running": 1.0}
    assert found["salience_workers_busy"] == {"": 1.0}
    assert found["salience_queue_age_seconds"][""] > 0


def test_the_gauge_of_speed_counts_only_running_jobs(store: Store, ingredients: AuditInputs) -> None:
    job, _ = store.jobs.accept(ingredients.spec(), "digest", None)
    shard = store.leases.claim("one", 30)
    assert shard is not None
    store.leases.renew(shard, 30, 100)
    assert read_gauges(store.database)["salience_passes_per_second"][""] > 0
    store.jobs.cancel(job.id)
    assert read_gauges(store.database)["salience_passes_per_second"] == {"": 0.0}
