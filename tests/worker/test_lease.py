import time

import pytest

from service.domain import Shard
from service.errors import WorkStopped
from service.spec import digest_of
from service.storage import Store
from tests.audits import Ingredients
from worker.lease import Lease
from worker.runner import never


@pytest.fixture
def shard(store: Store, ingredients: Ingredients) -> Shard:
    spec = ingredients.spec()
    store.jobs.accept(spec, digest_of(spec), None)
    claimed = store.leases.claim("w", 0.6)
    assert claimed
    return claimed


def test_a_lease_is_renewed_while_the_work_goes_on(store: Store, shard: Shard) -> None:
    with Lease(store.leases, shard, 0.6, never) as lease:
        for _ in range(10):
            time.sleep(0.1)
            lease.count(2)
            assert store.leases.release_expired() == 0
    assert store.jobs.get(shard.job).passes_done > 0
    assert lease.passes == 20


def test_the_work_hears_that_its_job_was_cancelled(store: Store, shard: Shard) -> None:
    with Lease(store.leases, shard, 0.6, never) as lease:
        store.jobs.cancel(shard.job)
        with pytest.raises(WorkStopped):
            for _ in range(100):
                time.sleep(0.05)
                lease.check()
