from array import array

import pytest

from service.domain.work import MapSum, Plan, ShardResult, Slice
from service.spec.model import spec_digest
from service.storage import Store
from tests.support.jobs import AuditInputs


def map_sum(*numbers: int, run: int = 0, out_of_set: bool = False) -> MapSum:
    return MapSum(0, run, out_of_set, 2, array("q", numbers).tobytes())


@pytest.fixture
def job(store: Store, ingredients: AuditInputs) -> str:
    spec = ingredients.spec()
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    planner = store.leases.claim("w", 30)
    assert planner
    store.shards.record_plan(planner, Plan(2, [Slice(0, 0, 1), Slice(0, 1, 2)], 6, {}))
    return job


def record(store: Store, *sums: MapSum) -> None:
    shard = store.leases.claim("w", 30)
    assert shard
    store.shards.record_values(shard, ShardResult([], [], 0, "cpu", sums))


def test_the_sums_of_maps_of_different_shards_are_added_element_by_element(store: Store, job: str) -> None:
    large = 2**62 - 1
    record(store, map_sum(1, 255, large), map_sum(0, 7, 1, run=1), map_sum(5, 5, 5, out_of_set=True))
    record(store, map_sum(2, 1, large), map_sum(1, 1, 1, run=1))
    first, second = store.map_sums.of_cohort(job, 0, False)
    assert (first.run, first.count, array("q", first.data).tolist()) == (0, 4, [3, 256, 2 * large])
    assert (second.run, second.count, array("q", second.data).tolist()) == (1, 4, [1, 8, 2])
    (outside,) = store.map_sums.of_cohort(job, 0, True)
    assert (outside.count, array("q", outside.data).tolist()) == (2, [5, 5, 5])


def test_the_sums_of_maps_are_deleted_with_their_job(store: Store, job: str) -> None:
    record(store, map_sum(1))
    store.jobs.cancel(job)
    store.jobs.delete(job)
    store.retention.purge(60)
    assert store.map_sums.of_cohort(job, 0, False) == []
