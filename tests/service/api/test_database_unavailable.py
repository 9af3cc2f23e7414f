"""Tests of the API while Postgres or the broker dies and restarts."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.integrations.signatures import sign
from service.main import create_app
from service.settings import ServiceSettings
from tests.conftest import migrate
from tests.support.jobs import AuditInputs
from tests.support.mlflow_delivery import BODY
from tests.support.production import start_broker
from tests.support.routes import name, routes
from tests.support.servers import Cluster, cluster, free_port, serving
from tests.support.supervised_process import SupervisedProcess

WITHOUT_DATABASE = {"/healthz", "/readyz", "/metrics"}


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


def test_the_api_answers_503_while_the_database_is_down_and_loses_no_job(
    database: Cluster, redis_url: str, ingredients: AuditInputs, tmp_path: Path
) -> None:
    first = database.start(fsync=True)
    database.await_start()
    url = f"{database.url}postgres".replace("postgresql:", "postgresql+psycopg:")
    migrate(url)
    broker = redis_url.removesuffix("/0") + "/7"
    settings = ServiceSettings(data_dir=tmp_path, database_url=url, broker_url=broker, allowed_roots=(Path("/"),))
    with serving(create_app(settings)) as api, httpx.Client(base_url=api, timeout=30) as client:
        path = client.post("/v1/jobs", json=ingredients.body()).json()["links"]["self"]
        waited: list[int] = []
        waiter = threading.Thread(
            target=lambda: waited.append(httpx.get(f"{api}{path}?wait=4", timeout=30).status_code)
        )
        waiter.start()
        time.sleep(0.5)  # time for the request to start waiting
        first.send_signal(signal.SIGKILL)
        first.wait()
        for answer in (client.get(path), client.get("/v1/jobs"), client.post("/v1/jobs", json=ingredients.body())):
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:salience:problem:database-unavailable")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert int(answer.headers["Retry-After"]) > 0
        second = database.start(fsync=True)
        database.await_start()
        waiter.join()
        assert client.get(path).json()["state"] == "queued"
        assert waited == [200]
        assert client.post("/v1/jobs", json=ingredients.body()).status_code == 202
    second.terminate()
    second.wait()


def test_every_route_documents_its_response_to_an_unavailable_database(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    app = create_app(ServiceSettings(data_dir=tmp_path, database_url=url, broker_url=redis_url, mlflow_secret="m" * 40))
    now = str(int(time.time()))
    signed = {"X-MLflow-Delivery-Id": "d", "X-MLflow-Timestamp": now}
    signed["X-MLflow-Signature"] = sign(b"m" * 40, "d", now, BODY.encode())
    headers = {"Authorization": "Bearer salience_00000000" + "0" * 64, **signed}
    with serving(app) as api, httpx.Client(base_url=api, headers=headers, timeout=30) as client:
        shown = client.get("/openapi.json").json()["paths"]
        for each in routes():
            if each.path not in shown.keys() - WITHOUT_DATABASE:
                continue
            answer = each.ask(client, dict.fromkeys(each.names, "1" * 64), json=None, content=BODY)
            assert answer.status_code == 503, name(each)
            documented = shown[each.path][each.method]["responses"]["503"]
            assert int(answer.headers["Retry-After"]) > 0 and "Retry-After" in documented["headers"]
            assert answer.headers["Content-Type"] in documented["content"]


def test_the_api_answers_without_errors_while_the_broker_is_down(ingredients: AuditInputs, tmp_path: Path) -> None:
    port = free_port()
    with SupervisedProcess(lambda: start_broker(port, tmp_path)) as broker:
        url = f"sqlite:///{tmp_path}/jobs.sqlite"
        migrate(url)
        settings = ServiceSettings(
            data_dir=tmp_path, database_url=url, broker_url=f"redis://127.0.0.1:{port}/0", allowed_roots=(Path("/"),)
        )
        with serving(create_app(settings)) as api, httpx.Client(base_url=api, timeout=30) as client:
            for _ in range(3):
                assert client.post("/v1/jobs", json=ingredients.body()).status_code == 202
                broker.signal(signal.SIGKILL)
                assert client.post("/v1/jobs", json=ingredients.body()).status_code == 202
