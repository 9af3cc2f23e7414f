import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from service.domain.policy import Policy
from service.integrations.signatures import sign
from service.main import create_app
from service.settings import ServiceSettings
from service.storage import Store
from service.storage.tables.registry import HookRow, VersionRow
from tests.support.mlflow_delivery import BODY

SECRET = "the webhook's"

POLICY = {
    "gate": {"rules": [{"measure": "entropy", "op": ">=", "value": 0}]},
    "job": {"images": {"uri": "file:///images"}},
    "registry": {"models": "faces"},
}


@pytest.fixture
def client(store: Store, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Return a client of the API. A policy is stored for the model `faces`, and the MLflow server is unavailable."""
    store.policies.put("p", Policy.model_validate(POLICY))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    url = store.database.url.render_as_string(hide_password=False)
    settings = ServiceSettings(data_dir=tmp_path, database_url=url, broker_url=redis_url, mlflow_secret=SECRET)
    with TestClient(create_app(settings)) as made:
        yield made


def post(client: TestClient, delivery: str = "d", secret: str = SECRET, age: float = 0, body: str = BODY) -> Any:
    timestamp = str(int(time.time() - age))
    headers = {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": timestamp,
        "X-MLflow-Signature": sign(secret.encode(), delivery, timestamp, body.encode()),
    }
    return client.post("/v1/hooks/mlflow", content=body, headers=headers)


def counts(store: Store) -> tuple[int | None, ...]:
    with store.database.read() as session:
        return tuple(session.scalar(select(func.count()).select_from(rows)) for rows in (HookRow, VersionRow))


def test_an_event_of_mlflow_is_accepted_at_once_and_its_repetition_is_refused(client: TestClient, store: Store) -> None:
    first, again = post(client), post(client)
    assert (first.status_code, first.json()) == (202, {"noticed": "faces/3"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:salience:problem:delivery-repeated")
    assert counts(store) == (1, 1)


def test_a_forged_or_delayed_event_of_mlflow_is_refused(client: TestClient, store: Store) -> None:
    for refused in (post(client, secret="guess"), post(client, age=600), client.post("/v1/hooks/mlflow", content=BODY)):
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:salience:problem:delivery-refused")
    assert post(client, body="[]").status_code == 422
    assert counts(store) == (0, 0)


def test_the_api_accepts_an_event_of_mlflow_that_starts_no_audit(client: TestClient, store: Store) -> None:
    body = json.dumps({"entity": "registered_model", "action": "created", "data": {"name": "faces"}})
    assert (post(client, body=body).json(), counts(store)) == ({"noticed": None}, (1, 0))


def test_without_a_model_registry_the_error_names_the_missing_settings(api: Any) -> None:
    answer = api.post("/v1/hooks/mlflow", content=BODY)
    assert answer.status_code == 501
    assert "SALIENCE_MLFLOW_SECRET" in answer.json()["detail"]
