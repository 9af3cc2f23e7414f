import time
from collections.abc import Iterator

import pytest

from service.domain.job import JobState
from service.queue.notifier import WorkNotifier
from service.queue.sweeper import Sweeper, running_sweeper
from service.settings import ServiceSettings
from service.spec.model import spec_digest
from service.storage import Store
from tests.support.jobs import AuditInputs


@pytest.fixture
def notifier(redis_url: str) -> Iterator[WorkNotifier]:
    opened = WorkNotifier(redis_url.removesuffix("/0") + "/2")
    yield opened
    opened.close()


def accept(store: Store, ingredients: AuditInputs, **changes: float) -> str:
    spec = ingredients.spec(**changes)
    return store.jobs.accept(spec, spec_digest(spec), None)[0].id


def test_a_shard_with_an_expired_lease_is_requeued_and_workers_are_notified(
    store: Store, ingredients: AuditInputs, notifier: WorkNotifier
) -> None:
    accept(store, ingredients)
    assert store.leases.claim("dead", lease_seconds=0)
    before = notifier.length()
    Sweeper(store, notifier, ServiceSettings()).sweep()
    assert store.leases.claimable_count() == 1
    assert notifier.length() == max(before, 1)


def test_the_sweeper_runs_in_the_background(store: Store, ingredients: AuditInputs, notifier: WorkNotifier) -> None:
    accept(store, ingredients)
    with running_sweeper(store, notifier, ServiceSettings(sweep_seconds=0.05)):
        store.leases.claim("dead", lease_seconds=0)
        end = time.monotonic() + 10
        while not store.leases.claimable_count() and time.monotonic() < end:
            time.sleep(0.02)
    assert store.leases.claimable_count() == 1


def test_the_next_sweep_is_due_when_the_first_lease_expires(
    store: Store, ingredients: AuditInputs, notifier: WorkNotifier
) -> None:
    accept(store, ingredients)
    store.leases.claim("dead", lease_seconds=0.5)
    assert 0 < Sweeper(store, notifier, ServiceSettings(sweep_seconds=60)).step() <= 0.6


def test_a_job_fails_after_its_deadline(store: Store, ingredients: AuditInputs, notifier: WorkNotifier) -> None:
    overdue, other = accept(store, ingredients, deadline=0.01), accept(store, ingredients, deadline=1000)
    held = store.leases.claim("w", lease_seconds=30)
    assert held
    time.sleep(0.02)
    Sweeper(store, notifier, ServiceSettings()).sweep()
    ended = store.jobs.get(overdue)
    assert (ended.state, (ended.error or {})["type"]) == (JobState.FAILED, "deadline-exceeded")
    assert not store.leases.renew(held, 30, 1)
    assert store.jobs.get(other).state is JobState.QUEUED


def test_workers_can_renew_their_leases_after_the_database_was_unavailable(
    store: Store, ingredients: AuditInputs, notifier: WorkNotifier
) -> None:
    accept(store, ingredients)
    shard = store.leases.claim("alive", lease_seconds=0)
    assert shard
    sweeper = Sweeper(Store.open("postgresql+psycopg://postgres@127.0.0.1:1/unavailable"), notifier, ServiceSettings())
    sweeper.step()
    sweeper.store = store
    sweeper.step()
    assert store.leases.renew(shard, 30, 1)
