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


def hurry(store: Store) -> None:
    """As if pauses were over and leases had run out."""
    with store.database.write() as session:
        session.execute(update(VersionRow).values(next_at=0.0, lease_until=0.0))


def test_a_delivery_counts_once_and_is_remembered_for_its_window(store: Store) -> None:
    store.registry.record_delivery("d", 300, FACES)
    with pytest.raises(DeliveryRepeated):
        store.registry.record_delivery("d", 300, ("faces", "4"))
    claimed = store.registry.claim(60)
    assert claimed and (claimed.name, claimed.version, claimed.state) == (*FACES, VersionState.NOTICED)
    assert store.registry.claim(60) is None, "of the repetition nothing came"
    with store.database.write() as session:
        session.execute(update(HookRow).values(received_at=time.time() - 700))
    store.registry.record_delivery("e", 300, None)
    with store.database.read() as session:
        assert session.scalars(select(HookRow.id)).all() == ["e"]


def test_a_version_waits_for_its_job_and_is_then_told_about(store: Store, ingredients: AuditInputs) -> None:
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
    assert store.registry.notice(*FACES), "should it lose its verdict, it is audited again"


def test_what_fails_is_tried_again_after_a_pause_and_what_died_after_its_lease(store: Store) -> None:
    assert store.registry.notice(*FACES)
    assert not store.registry.notice(*FACES), "it is under way"
    first = store.registry.claim(60)
    assert first
    store.registry.postpone(first, "away")
    assert store.registry.claim(60) is None
    hurry(store)
    second = store.registry.claim(0)
    third = store.registry.claim(60)
    assert second and third
    store.registry.delete(second)
    store.registry.restart(second)
    hurry(store)
    assert store.registry.claim(60), "whoever lost its lease has no say"


def test_a_version_that_begins_anew_is_nobodys_any_more(store: Store) -> None:
    store.registry.notice(*FACES)
    before = store.registry.claim(60)
    assert before
    store.registry.record_delivery("d", 300, FACES)
    store.registry.mark_audited(before, POLICY, None, "old")
    again = store.registry.claim(60)
    assert again and again.state is VersionState.NOTICED


def test_a_round_is_one_processes_until_it_is_due_again(store: Store) -> None:
    assert [store.registry.is_due("r", 60) for _ in range(3)] == [True, False, False]
    assert store.registry.is_due("other", 60)
    assert store.registry.is_due("r", 0.001), "the interval was made shorter"
