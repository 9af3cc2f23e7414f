"""Tests that an open job of an earlier release restarts if this release computes other numbers."""

import pytest
from sqlalchemy import func, select, update

from service.domain.format import OLDEST_FORMAT
from service.domain.job import JobState
from service.domain.maps import ClassSum
from service.domain.work import MapSum, ShardKind, ShardResult
from service.errors import LeaseLost
from service.spec.model import spec_digest
from service.storage import Store
from service.storage.outdated import replan_outdated
from service.storage.tables.jobs import MapSumRow, ShardRow, ValueRow
from service.storage.tables.maps import ClassSumRow
from tests.support.jobs import AuditInputs
from tests.support.shards import claim, plan, result


@pytest.fixture
def job(store: Store, ingredients: AuditInputs) -> str:
    spec = ingredients.spec()
    return store.jobs.accept(spec, spec_digest(spec), None)[0].id


def make_outdated(store: Store) -> None:
    with store.database.write() as session:
        session.execute(update(ShardRow).values(format=OLDEST_FORMAT - 1))


def count_rows(store: Store) -> int:
    """Return the number of rows in the tables of values and of sums of maps."""
    with store.database.read() as session:
        counts = (select(func.count()).select_from(table) for table in (ValueRow, MapSumRow, ClassSumRow))
        return sum(session.scalar(each) or 0 for each in counts)


def test_a_partly_measured_job_restarts_and_a_worker_of_the_earlier_release_records_nothing(
    store: Store, job: str
) -> None:
    plan(store)
    done, running = claim(store), claim(store)
    plain = result(done)
    sums = [MapSum(0, 0, False, 2, bytes(8))], [ClassSum(0, "", 2, bytes(8))]
    store.shards.record_values(done, ShardResult(plain.images, plain.values, 20, "cpu", sums[0], 0, sums[1]))
    assert store.leases.renew(running, 30, 5)
    assert count_rows(store) > 2
    make_outdated(store)
    # A worker of the earlier release still holds a shard, and may finish the job.
    assert replan_outdated(store.database) == 0
    store.leases.give_back(["w"])
    assert replan_outdated(store.database) == 1
    assert replan_outdated(store.database) == 0
    with pytest.raises(LeaseLost):
        store.shards.record_values(running, result(running))
    found = store.jobs.get(job)
    assert (found.state, found.plan, found.images_total) == (JobState.RUNNING, None, None)
    assert (found.passes_done, found.passes_total, count_rows(store)) == (0, None, 0)
    plan(store)
    for _ in range(2):
        shard = claim(store)
        store.shards.record_values(shard, result(shard))
    assert claim(store).kind is ShardKind.SUMMARISE


def test_a_queued_job_of_an_earlier_release_is_planned_by_this_release(store: Store, job: str) -> None:
    make_outdated(store)
    assert store.leases.claim("w", 30) is None
    assert replan_outdated(store.database) == 1
    assert claim(store).kind is ShardKind.PLAN
    assert store.jobs.get(job).error is None


def test_a_job_of_this_release_does_not_restart(store: Store, job: str) -> None:
    plan(store)
    assert replan_outdated(store.database) == 0
    assert store.jobs.get(job).plan is not None
