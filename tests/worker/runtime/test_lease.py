import time

import pytest

from service.domain.work import Shard
from service.errors import LeaseLost
from service.spec.model import spec_digest
from service.storage import Store
from tests.support.jobs import AuditInputs
from worker.runner import never_stopping
from worker.runtime.lease import Lease


@pytest.fixture
def shard(store: Store, ingredients: AuditInputs) -> Shard:
    spec = ingredients.spec()
    store.jobs.accept(spec, spec_digest(spec), None)
    claimed = store.leases.claim("w", 0.6)
    assert claimed
    return claimed


def test_a_lease_is_renewed_during_the_work(store: Store, shard: Shard) -> None:
    with Lease(store.leases, shard, 0.6, never_stopping) as lease:
        for _ in range(10):
            time.sleep(0.1)
            lease.count(2)
            assert store.leases.release_expired() == 0
    assert store.jobs.get(shard.job).passes_done > 0
    assert lease.passes == 20


def test_cancelling_a_job_raises_lease_lost_in_the_worker(store: Store, shard: Shard) -> None:
    with Lease(store.leases, shard, 0.6, never_stopping) as lease:
        store.jobs.cancel(shard.job)
        with pytest.raises(LeaseLost):
            for _ in range(100):
                time.sleep(0.05)
                lease.check()
