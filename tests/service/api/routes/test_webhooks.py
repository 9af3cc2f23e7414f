from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from service.main import create_app
from service.settings import ServiceSettings

URL = "https://there.example/hook"


@pytest.fixture
def client(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[TestClient]:
    settings = ServiceSettings(
        data_dir=tmp_path, database_url=database_url, broker_url=redis_url, secret_keys=("k" * 40,)
    )
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as made:
        yield made


def test_a_webhook_is_created_listed_and_deleted(client: TestClient) -> None:
    made = client.post("/v1/webhooks", json={"url": URL, "events": ["job.failed"]})
    assert made.status_code == 201
    body = made.json()
    assert body.pop("secret").startswith("whsec_")
    assert (body["url"], body["events"], body["format"], body["disabled_at"]) == (URL, ["job.failed"], "standard", None)
    assert client.get("/v1/webhooks").json() == {"items": [body]}
    path = f"/v1/webhooks/{body['id']}"
    assert client.get(path).json() == body, "only the first response contains the secret"
    assert client.get(f"{path}/deliveries").json() == {"items": [], "next": None}
    assert client.delete(path).status_code == 204
    calls = (("GET", path), ("DELETE", path), ("GET", f"{path}/deliveries"), ("POST", f"{path}/rotate"))
    for gone in (client.request(method, where) for method, where in calls):
        assert (gone.status_code, gone.json()["type"]) == (404, "urn:salience:problem:webhook-not-found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://there"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "https://user:password@there"}, "url"),
        ({"url": "http://[::1"}, "url"),
        ({"url": "http://10.0.0.1/there"}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["job.lost"]}, "events[0]"),
        ({"url": URL, "format": "xml"}, "format"),
        ({"url": URL, "secret": "whsec_mine"}, "secret"),
    ],
)
def test_an_invalid_webhook_is_refused(client: TestClient, body: dict[str, Any], field: str) -> None:
    answer = client.post("/v1/webhooks", json=body)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_without_secret_keys_the_error_names_the_setting(api: httpx.Client) -> None:
    answer = api.post("/v1/webhooks", json={"url": URL})
    assert (answer.status_code, answer.json()["type"]) == (501, "urn:salience:problem:not-set-up")
    assert "SALIENCE_SECRET_KEYS" in answer.json()["detail"]
