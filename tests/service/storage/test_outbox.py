import time
from typing import Any

import pytest
from sqlalchemy import update

from service.domain.job import JobState
from service.domain.webhook import Attempt, Delivery, DeliveryState, Event, Webhook
from service.spec.model import spec_digest
from service.storage import Store
from service.storage.outbox import GIVE_UP_SECONDS, RELEASE_SECONDS
from service.storage.tables.webhooks import DeliveryRow, WebhookRow
from tests.support.jobs import AuditInputs

SECRET = {"key": "k", "salt": "00"}
FAILED = Attempt(503, "503 Service Unavailable")


def add(store: Store, *events: Event, tenant: str = "") -> Webhook:
    subscribed = events or ("job.succeeded", "job.cancelled")
    return store.for_tenant(tenant).webhooks.add("http://there", subscribed, "standard", SECRET)


def cancel_one(store: Store, ingredients: AuditInputs) -> str:
    spec = ingredients.spec(name="n", labels={"team": "x"})
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    store.jobs.cancel(job)
    return job


def deliveries(store: Store, webhook: Webhook) -> list[Delivery]:
    return store.outbox.page(webhook.id, None, 50)[0]


def change(store: Store, rows: type[Any], **values: object) -> None:
    """Set columns of all rows of a table, to simulate that time has passed."""
    with store.database.write() as session:
        session.execute(update(rows).values(**values))


def test_a_message_about_a_jobs_end_is_enqueued_for_its_subscribers_only(
    store: Store, ingredients: AuditInputs
) -> None:
    subscriber, other, stranger = add(store), add(store, "job.failed"), add(store, tenant="them")
    job = cancel_one(store, ingredients)
    (found,) = deliveries(store, subscriber)
    assert (found.event, found.state, found.attempts) == ("job.cancelled", DeliveryState.WAITING, 0)
    facts = {key: found.facts[key] for key in ("job", "name", "labels", "state", "error")}
    assert facts == {"job": job, "name": "n", "labels": {"team": "x"}, "state": JobState.CANCELLED, "error": None}
    assert deliveries(store, other) == deliveries(store, stranger) == []
    store.jobs.cancel(job)
    assert len(deliveries(store, subscriber)) == 1, "the job ends only once"


def test_only_one_sender_at_a_time_can_lease_a_webhook(store: Store, ingredients: AuditInputs) -> None:
    webhook = add(store)
    assert store.outbox.claim(60) is None, "no message is due"
    cancel_one(store, ingredients)
    claimed = store.outbox.claim(60)
    assert claimed and claimed.id == webhook.id
    assert store.outbox.claim(60) is None
    store.outbox.release(webhook.id)
    assert store.outbox.claim(0)
    assert store.outbox.claim(60), "the lease of the first sender has expired"


def test_a_delivered_message_is_not_sent_again(store: Store, ingredients: AuditInputs) -> None:
    webhook = add(store)
    cancel_one(store, ingredients)
    delivery = store.outbox.next_for(webhook.id)
    assert delivery
    assert store.outbox.record(webhook.id, delivery, Attempt(204), 60)
    assert store.outbox.next_for(webhook.id) is None
    (found,) = deliveries(store, webhook)
    assert (found.state, found.status, found.attempts) == (DeliveryState.DELIVERED, 204, 1)
    store.outbox.delete_old(60)
    assert deliveries(store, webhook) == [found]
    store.outbox.delete_old(-1)
    assert deliveries(store, webhook) == []


def test_delays_grow_with_each_failure_until_the_delivery_fails_after_a_day(
    store: Store, ingredients: AuditInputs
) -> None:
    webhook = add(store)
    cancel_one(store, ingredients)
    delays = []
    for _ in range(5):
        delivery = store.outbox.next_for(webhook.id)
        assert delivery
        assert not store.outbox.record(webhook.id, delivery, FAILED, 60)
        assert store.outbox.next_for(webhook.id) is None
        delays.append(deliveries(store, webhook)[0].next_at - time.time())
        change(store, DeliveryRow, next_at=0.0)
    assert delays == sorted(delays)
    assert 2 < delays[0] <= 5
    assert delays[4] > 600
    change(store, DeliveryRow, created_at=time.time() - GIVE_UP_SECONDS)
    delivery = store.outbox.next_for(webhook.id)
    assert delivery
    store.outbox.record(webhook.id, delivery, FAILED, 60)
    assert deliveries(store, webhook)[0].state is DeliveryState.FAILED


def test_a_retry_after_header_of_the_receiver_is_respected(store: Store, ingredients: AuditInputs) -> None:
    webhook = add(store)
    cancel_one(store, ingredients)
    delivery = store.outbox.next_for(webhook.id)
    assert delivery
    store.outbox.record(webhook.id, delivery, Attempt(429, "429 Too Many Requests", retry_after=1000), 60)
    assert deliveries(store, webhook)[0].next_at > time.time() + 990
    cancel_one(store, ingredients)
    assert store.outbox.claim(60) is None, "other deliveries to this receiver pause too"
    change(store, WebhookRow, lease_until=time.time() - RELEASE_SECONDS)
    assert store.outbox.claim(60)


def test_a_receiver_that_answers_410_gets_no_further_messages(store: Store, ingredients: AuditInputs) -> None:
    webhook = add(store)
    cancel_one(store, ingredients)
    cancel_one(store, ingredients)
    delivery = store.outbox.next_for(webhook.id)
    assert delivery
    store.outbox.record(webhook.id, delivery, Attempt(410, "410 Gone"), 60)
    assert {each.state for each in deliveries(store, webhook)} == {DeliveryState.FAILED}
    assert "410" in (store.webhooks.get(webhook.id).disabled_reason or "")
    cancel_one(store, ingredients)
    assert len(deliveries(store, webhook)) == 2


def test_deliveries_are_listed_in_pages_newest_first(store: Store, ingredients: AuditInputs) -> None:
    webhook = add(store)
    jobs = [cancel_one(store, ingredients) for _ in range(3)]
    first, more = store.outbox.page(webhook.id, None, 2)
    rest, none = store.outbox.page(webhook.id, more, 2)
    assert [each.facts["job"] for each in (*first, *rest)] == jobs[::-1]
    assert none is None


@pytest.mark.parametrize("overlap", [0.0, 60.0])
def test_earlier_secrets_stay_valid_during_the_overlap(store: Store, overlap: float) -> None:
    webhook = add(store)
    rotated = store.webhooks.rotate(webhook.id, {"key": "k", "salt": "01"}, overlap)
    assert [each["salt"] for each in rotated.secrets] == (["01", "00"] if overlap else ["01"])
    again = store.webhooks.rotate(webhook.id, {"key": "k", "salt": "02"}, 1000)
    assert again.secrets[1:] == [
        {"key": "k", "salt": "01", "until": pytest.approx(time.time() + 1000, abs=30)}, *rotated.secrets[1:]
    ]  # fmt: skip
