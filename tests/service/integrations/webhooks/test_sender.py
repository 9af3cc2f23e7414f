"""Tests with a receiver that verifies messages with the standardwebhooks package.

They use SQLite; test_outbox.py tests the outbox on both databases.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from service.integrations.webhooks.secrets import SecretKeys
from service.main import create_app
from service.settings import ServiceSettings
from service.storage import Store
from service.storage.tables.webhooks import DeliveryRow, WebhookRow
from tests.conftest import HERE
from tests.support.jobs import AuditInputs
from tests.support.servers import free_port, serving
from tests.support.soundness import ALL_OFF
from tests.support.webhook_receiver import Receiver, await_true, receiving
from worker.runner import Runner

GATE = {"rules": [{"measure": "entropy", "op": ">=", "value": 0}], "soundness": ALL_OFF}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(
        data_dir=tmp_path, database_url=database_url, broker_url=redis_url, allowed_roots=(Path("/"),),
        secret_keys=("k" * 40,), sweep_seconds=0.1, public_url="https://audits.example/",
        allowed_hosts=HERE,
    )  # fmt: skip


@contextmanager
def running_api(settings: ServiceSettings) -> Iterator[httpx.Client]:
    with serving(create_app(settings)) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture
def api(settings: ServiceSettings) -> Iterator[httpx.Client]:
    with running_api(settings) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def register(api: httpx.Client, receiver: Receiver, **more: Any) -> str:
    response = api.post("/v1/webhooks", json={"url": receiver.url, **more})
    assert response.status_code == 201, response.text
    receiver.secret = response.json()["secret"]
    return f"/v1/webhooks/{response.json()['id']}"


def cancel_one(api: httpx.Client, ingredients: AuditInputs) -> str:
    job: str = api.post("/v1/jobs", json=ingredients.body(name="n", labels={"team": "x"})).json()["id"]
    api.post(f"/v1/jobs/{job}/cancel")
    return job


def skip_delays(store: Store, **changes: str) -> None:
    """End all delays and leases, so that waiting messages are due."""
    with store.database.write() as session:
        session.execute(update(DeliveryRow).values(next_at=0.0))
        session.execute(update(WebhookRow).values(lease_until=None, **changes))


def list_deliveries(api: httpx.Client, webhook: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{webhook}/deliveries").json()["items"]
    return found


def test_the_receiver_gets_a_verified_message_when_a_job_ends(
    api: httpx.Client, receiver: Receiver, ingredients: AuditInputs, runner: Runner
) -> None:
    webhook = register(api, receiver)
    job = api.post("/v1/jobs", json=ingredients.body(measures=["entropy"], gate=GATE)).json()["id"]
    while runner.work():
        pass
    ((headers, message),) = receiver.await_messages(1)
    assert headers["content-type"] == "application/json"
    assert message["type"] == "job.succeeded"
    assert (message["data"]["job"], message["data"]["state"], message["data"]["verdict"]) == (job, "succeeded", "pass")
    assert message["data"]["links"]["results"] == f"https://audits.example/v1/jobs/{job}/results"
    await_true(lambda: list_deliveries(api, webhook)[0]["state"] == "delivered")
    (found,) = list_deliveries(api, webhook)
    assert (found["id"], found["job"], found["status"], found["attempts"]) == (headers["webhook-id"], job, 204, 1)


def test_a_cloud_event_has_the_standard_attributes(
    api: httpx.Client, receiver: Receiver, ingredients: AuditInputs
) -> None:
    register(api, receiver, format="cloudevents", events=["job.cancelled"])
    job = cancel_one(api, ingredients)
    ((headers, message),) = receiver.await_messages(1)
    assert headers["content-type"] == "application/cloudevents+json"
    assert (message["specversion"], message["type"], message["subject"]) == ("1.0", "salience.job.cancelled", job)
    assert (message["id"], message["source"]) == (headers["webhook-id"], "https://audits.example")
    assert message["data"]["labels"] == {"team": "x"}


def test_a_failed_message_is_sent_again_with_the_same_id(
    api: httpx.Client, ingredients: AuditInputs, store: Store
) -> None:
    with receiving([500, 301]) as receiver:
        webhook = register(api, receiver)
        cancel_one(api, ingredients)
        for count, error in ((1, "500 Internal Server Error"), (2, "301 Moved Permanently")):
            receiver.await_messages(count)
            await_true(lambda: list_deliveries(api, webhook)[0]["attempts"] == count)  # noqa: B023  # the lambda is called immediately
            (found,) = list_deliveries(api, webhook)
            assert (found["state"], found["error"]) == ("waiting", error)
            assert found["next_attempt_at"]
            skip_delays(store)
        seen = receiver.await_messages(3)
        assert len({headers["webhook-id"] for headers, _ in seen}) == 1
        await_true(lambda: list_deliveries(api, webhook)[0]["state"] == "delivered")


def test_no_message_is_sent_to_an_address_that_is_not_allowed(
    settings: ServiceSettings, receiver: Receiver, ingredients: AuditInputs, store: Store
) -> None:
    """Addresses are checked at each delivery, since the operator may remove an allowed host after the registration."""
    webhook = store.webhooks.add(
        receiver.url, ["job.cancelled"], "standard", SecretKeys(settings.secret_keys).create_secret()
    )
    with running_api(settings.model_copy(update={"allowed_hosts": ()})) as api:
        cancel_one(api, ingredients)
        path = f"/v1/webhooks/{webhook.id}"
        await_true(lambda: list_deliveries(api, path)[0]["attempts"] == 1)
        assert "not a public address" in list_deliveries(api, path)[0]["error"]
    assert receiver.seen == []


def test_a_webhook_whose_receiver_answers_410_is_disabled(api: httpx.Client, ingredients: AuditInputs) -> None:
    with receiving([410]) as receiver:
        webhook = register(api, receiver)
        cancel_one(api, ingredients)
        receiver.await_messages(1)
        await_true(lambda: api.get(webhook).json()["disabled_at"])
        assert list_deliveries(api, webhook)[0]["state"] == "failed"


def test_messages_can_be_verified_with_the_old_and_the_new_secret_during_a_rotation(
    api: httpx.Client, receiver: Receiver, ingredients: AuditInputs, store: Store
) -> None:
    webhook = register(api, receiver)
    old = receiver.secret
    new = api.post(f"{webhook}/rotate", json={"overlap_seconds": 3600}).json()["secret"]
    assert new != old
    for count, receiver.secret in enumerate((old, new), 1):
        cancel_one(api, ingredients)
        receiver.await_messages(count)
    newest = api.post(f"{webhook}/rotate", json={"overlap_seconds": 0}).json()["secret"]
    receiver.secret = new
    cancel_one(api, ingredients)
    await_true(lambda: receiver.refused)
    receiver.secret = newest
    await_true(lambda: list_deliveries(api, webhook)[0]["attempts"] == 1)
    skip_delays(store)
    receiver.await_messages(3)


def test_an_unsent_message_survives_a_restart(
    settings: ServiceSettings, ingredients: AuditInputs, store: Store
) -> None:
    unreachable = Receiver(url=f"http://127.0.0.1:{free_port()}/hook")
    with running_api(settings) as api:
        webhook = register(api, unreachable)
        cancel_one(api, ingredients)
        await_true(lambda: list_deliveries(api, webhook)[0]["attempts"] == 1)
        assert "ConnectError" in list_deliveries(api, webhook)[0]["error"]
    with receiving() as receiver:
        receiver.secret = unreachable.secret
        skip_delays(store, url=receiver.url)
        with running_api(settings):
            receiver.await_messages(1)


def test_two_processes_send_each_message_only_once(
    settings: ServiceSettings, receiver: Receiver, ingredients: AuditInputs
) -> None:
    with running_api(settings) as first, running_api(settings) as second:
        webhook = register(first, receiver)
        jobs = {cancel_one(api, ingredients) for api in (first, second) * 5}
        await_true(lambda: all(each["state"] == "delivered" for each in list_deliveries(first, webhook)))
    assert sorted(message["data"]["job"] for _, message in receiver.seen) == sorted(jobs), (
        "each message is sent exactly once"
    )
