import time

import pytest
from sqlalchemy import select, update

from service.errors import DeliveryRepeated
from service.spec.model import spec_digest
from service.storage import Store
from service.storage.registry import VersionState
from service.storage.tables.registry import HookRow, VersionRow
from tests.support.jobs import AuditInputs

FACES = ("faces", "3")
POLICY = ("p", 1)


def skip_delays(store: Store) -> None:
    """End all delays and leases, so that every version is due."""
    with store.database.write() as session:
        session.execute(update(VersionRow).values(next_at=0.0, lease_until=0.0))


def test_a_delivery_is_accepted_once_and_its_id_is_stored_while_its_signature_is_valid(store: Store) -> None:
    store.registry.record_delivery("d", 300, FACES)
    with pytest.raises(DeliveryRepeated):
        store.registry.record_delivery("d", 300, ("faces", "4"))
    claimed = store.registry.claim(60)
    assert claimed and (claimed.name, claimed.version, claimed.state) == (*FACES, VersionState.NOTICED)
    assert store.registry.claim(60) is None, "the repeated delivery is ignored"
    with store.database.write() as session:
        session.execute(update(HookRow).values(received_at=time.time() - 700))
    store.registry.record_delivery("e", 300, None)
    with store.database.read() as session:
        assert session.scalars(select(HookRow.id)).all() == ["e"]


def test_a_version_is_claimed_again_once_its_job_has_ended(store: Store, ingredients: AuditInputs) -> None:
    spec = ingredients.spec()
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    store.registry.notice(*FACES)
    noticed = store.registry.claim(60)
    assert noticed
    store.registry.mark_audited(noticed, POLICY, job, None)
    assert store.registry.claim(60) is None
    store.jobs.cancel(job)
    ended = store.registry.claim(60)
    assert ended and (ended.state, ended.job, ended.policy) == (VersionState.AUDITED, job, POLICY)
    store.registry.delete(ended)
    assert store.registry.notice(*FACES), "a deleted version can be enqueued again"


def test_a_version_is_retried_after_a_failure_and_after_its_lease_expires(store: Store) -> None:
    assert store.registry.notice(*FACES)
    assert not store.registry.notice(*FACES), "the version is in the queue already"
    first = store.registry.claim(60)
    assert first
    store.registry.postpone(first, "unavailable")
    assert store.registry.claim(60) is None
    skip_delays(store)
    second = store.registry.claim(0)
    third = store.registry.claim(60)
    assert second and third
    store.registry.delete(second)
    store.registry.restart(second)
    skip_delays(store)
    assert store.registry.claim(60), "a process that lost its lease changes nothing"


def test_a_new_delivery_about_a_version_restarts_it_and_ends_its_lease(store: Store) -> None:
    store.registry.notice(*FACES)
    first = store.registry.claim(60)
    assert first
    store.registry.record_delivery("d", 300, FACES)
    store.registry.mark_audited(first, POLICY, None, "old")
    again = store.registry.claim(60)
    assert again and again.state is VersionState.NOTICED


def test_a_periodic_task_is_due_for_one_process_per_interval(store: Store) -> None:
    assert [store.registry.is_due("r", 60) for _ in range(3)] == [True, False, False]
    assert store.registry.is_due("other", 60)
    assert store.registry.is_due("r", 0.001), "a shorter interval applies at once"
