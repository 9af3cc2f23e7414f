import json
import time
from typing import Any

import pytest

from service.errors import DeliveryMalformed, DeliveryRefused
from service.integrations.mlflow.webhook import Delivery
from service.integrations.signatures import sign

SECRET = "s"


def deliver(payload: Any, age: float = 0.0, secret: str = SECRET, message: str = "d") -> Delivery:
    body, timestamp = json.dumps(payload).encode(), str(int(time.time() - age))
    return Delivery(message, timestamp, sign(secret.encode(), message, timestamp, body), body)


def created(**data: Any) -> dict[str, Any]:
    return {"entity": "model_version", "action": "created", "data": {"name": "faces", "version": "3", **data}}


def test_a_signed_recent_delivery_is_accepted() -> None:
    delivery = deliver(created())
    delivery.check(SECRET, time.time())
    assert delivery.subject() == ("faces", "3")


@pytest.mark.parametrize(
    "change",
    [{"secret": "other"}, {"age": 301}, {"age": -900}, {"message": ""}, {"message": "d" * 201}, {"message": "\0"}],
)
def test_a_delivery_with_a_wrong_signature_age_or_id_is_refused(change: dict[str, Any]) -> None:
    delivery = deliver(created(), **change)
    with pytest.raises(DeliveryRefused):
        delivery.check(SECRET, time.time())


@pytest.mark.parametrize(("timestamp", "signature"), [("now", ""), ("", "v1,")])
def test_an_unsigned_delivery_is_refused(timestamp: str, signature: str) -> None:
    now = time.time()
    with pytest.raises(DeliveryRefused):
        Delivery("d", timestamp.replace("now", str(int(now))), signature, b"{}").check(SECRET, now)


def test_a_delivery_whose_body_was_changed_after_signing_is_refused() -> None:
    good = deliver(created())
    for forged in (
        Delivery("other", good.timestamp, good.signature, good.body),
        Delivery(good.id, str(int(good.timestamp) + 1), good.signature, good.body),
        Delivery(good.id, good.timestamp, good.signature, good.body.replace(b"3", b"4")),
    ):
        with pytest.raises(DeliveryRefused, match="Signature"):
            forged.check(SECRET, time.time())


def test_setting_the_cohort_tag_starts_an_audit_and_other_events_do_not() -> None:
    tag = {
        "entity": "model_version_tag",
        "action": "set",
        "data": {"name": "f", "version": "1", "key": "salience.cohort"},
    }
    assert deliver(tag).subject() == ("f", "1")
    tag["data"]["key"] = "salience.verdict"  # type: ignore[index]  # it is a dictionary
    assert deliver(tag).subject() is None
    assert deliver({"entity": "registered_model", "action": "created", "data": {"name": "f"}}).subject() is None


MALFORMED = [
    [], {}, created(version=3), created(version="x"), created(version="\u00b2"), created(name=""), created(name="\0"),
    created(name="\ud800"), created(name=None),
]  # fmt: skip


@pytest.mark.parametrize("payload", MALFORMED)
def test_a_signed_delivery_without_a_valid_version_is_refused_as_malformed(payload: Any) -> None:
    with pytest.raises(DeliveryMalformed):
        deliver(payload).subject()


def test_a_delivery_that_is_nested_too_deeply_is_refused_as_malformed() -> None:
    with pytest.raises(DeliveryMalformed):
        Delivery("id", "1", "", b"[" * 100_000).subject()
