from pathlib import Path

import httpx

from service.main import create_app
from service.settings import ServiceSettings
from service.storage import Store
from tests.support.jobs import AuditInputs
from tests.support.servers import free_port, serving


def test_healthz_and_readyz_report_a_service_that_is_alive_and_ready(api: httpx.Client) -> None:
    assert api.get("/healthz").json()["status"] == "ok"
    assert api.get("/readyz").json()["checks"] == {"database": "ok", "broker": "ok"}


def test_a_service_without_its_broker_or_database_schema_is_alive_but_not_ready(tmp_path: Path) -> None:
    settings = ServiceSettings(
        database_url=f"sqlite:///{tmp_path}/empty.sqlite", broker_url=f"redis://127.0.0.1:{free_port()}/0"
    )
    with serving(create_app(settings)) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200
        answer = httpx.get(f"{url}/readyz", timeout=20)
    assert answer.status_code == 503
    assert "salience migrate" in answer.json()["checks"]["database"]
    assert "does not answer" in answer.json()["checks"]["broker"]


def test_without_a_database_schema_the_api_answers_with_a_problem(empty_database: str, tmp_path: Path) -> None:
    settings = ServiceSettings(
        data_dir=tmp_path, database_url=empty_database, broker_url=f"redis://127.0.0.1:{free_port()}/0"
    )
    with serving(create_app(settings)) as url:
        answer = httpx.get(f"{url}/v1/jobs", timeout=20)
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_job_is_accepted_while_the_broker_is_unavailable(
    database_url: str, ingredients: AuditInputs, store: Store, tmp_path: Path
) -> None:
    settings = ServiceSettings(
        data_dir=tmp_path,
        database_url=database_url,
        broker_url=f"redis://127.0.0.1:{free_port()}/0",
        allowed_roots=(ingredients.root,),
    )
    with serving(create_app(settings)) as url:
        answer = httpx.post(f"{url}/v1/jobs", json=ingredients.body(), timeout=20)
    assert answer.status_code == 202
    assert store.leases.claimable_count() == 1


def test_the_openapi_document_describes_the_routes(api: httpx.Client) -> None:
    described = api.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert {"/v1/jobs", "/v1/jobs/{job_id}", "/v1/jobs/{job_id}/results", "/readyz"} <= described["paths"].keys()
    assert api.get("/docs").status_code == 200
    created = described["paths"]["/v1/jobs"]["post"]["responses"]
    assert "application/problem+json" in created["422"]["content"]
