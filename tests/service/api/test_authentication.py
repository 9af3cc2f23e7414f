"""Tests of authentication, revocation of keys, and rate limits. test_tenants.py tests the scopes of all routes."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from salience import Client
from salience.errors import RequestRejected
from service.auth.authenticator import RECHECK_SECONDS
from service.domain.api_key import Scope
from service.storage import Store
from tests.support.jobs import AuditInputs
from tests.support.servers import free_port
from tests.support.tenants import OURS, Tenants, tenants


@pytest.fixture
def served(store: Store, redis_url: str, tmp_path: Path) -> Iterator[Tenants]:
    with tenants(store, tmp_path, broker_url=redis_url, rate_limit_per_minute=20) as both:
        yield both


def ask(client: httpx.Client, authorization: str) -> httpx.Response:
    return client.get("/v1/jobs", headers={"Authorization": authorization})


def test_while_no_key_exists_only_local_requests_are_accepted(api: httpx.Client, store: Store) -> None:
    assert api.get("/v1/jobs").status_code == 200
    for headers in (
        {"Host": "salience.example.org"},
        {"Origin": "https://elsewhere.example.org"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Via": "1.1 proxy"},
    ):
        answer = api.get("/v1/jobs", headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:salience:problem:key-missing")
    made, _ = store.keys.create("first", "", Scope.READ)
    assert api.get("/v1/jobs").status_code == 401
    store.keys.revoke(made.prefix)
    assert api.get("/v1/jobs").status_code == 401, "after the last key is revoked, requests still need a key"


def test_a_service_on_a_public_address_requires_a_key_even_if_no_key_exists(
    store: Store, redis_url: str, tmp_path: Path
) -> None:
    with tenants(store, tmp_path, broker_url=redis_url, host="0.0.0.0") as both:
        assert both.app.state.authenticator.keys_required
        assert both.anybody.get("/v1/jobs").status_code == 401
        assert both.anybody.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/v1/jobs/events", "/v1/jobs/{job}/events"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the result does not depend on the database
def test_an_event_stream_ends_without_another_event_when_its_key_is_revoked(
    served: Tenants, ingredients: AuditInputs, path: str
) -> None:
    job = served.ours.post("/v1/jobs", json=ingredients.body()).json()["id"]
    made, secret = served.store.keys.create("ci", OURS, Scope.READ)
    headers = {"Authorization": f"Bearer {secret}"}
    with served.anybody.stream("GET", path.format(job=job), headers=headers) as answer:
        lines = answer.iter_lines()
        assert any(job in line for line in lines) and next(lines).startswith("id: ")
        served.store.keys.revoke(made.prefix)
        time.sleep(RECHECK_SECONDS)
        served.ours.post(f"/v1/jobs/{job}/cancel").raise_for_status()
        assert [line for line in lines if line] == []


def test_an_event_stream_without_a_key_ends_when_the_first_key_is_created(
    api: httpx.Client, store: Store, ingredients: AuditInputs
) -> None:
    job = api.post("/v1/jobs", json=ingredients.body()).json()["id"]
    with api.stream("GET", f"/v1/jobs/{job}/events") as answer:
        lines = answer.iter_lines()
        assert any(job in line for line in lines) and next(lines).startswith("id: ")
        store.keys.create("first", "", Scope.READ)
        time.sleep(RECHECK_SECONDS)
        store.jobs.cancel(job)
        assert [line for line in lines if line] == []


def test_every_api_process_refuses_a_revoked_key(served: Tenants, redis_url: str, tmp_path: Path) -> None:
    with tenants(served.store, tmp_path, broker_url=redis_url) as second:
        made, secret = served.store.keys.create("ci", OURS, Scope.READ)
        for client in (served.anybody, second.anybody):
            assert ask(client, f"Bearer {secret}").status_code == 200
        served.store.keys.revoke(made.prefix)
        for client in (served.anybody, second.anybody):
            answer = ask(client, f"Bearer {secret}")
            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
            assert "revoked" in answer.json()["detail"]


def test_an_expired_key_is_refused(served: Tenants) -> None:
    _, secret = served.store.keys.create("ci", OURS, Scope.READ, expires_at=1.0)
    assert "expired" in ask(served.anybody, f"Bearer {secret}").json()["detail"]


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic !", "Basic Og==", "Digest x", "Bearer é", "Basic é"])
def test_a_malformed_authorization_header_is_refused(served: Tenants, authorization: str) -> None:
    headers = {b"Authorization": authorization.encode("latin-1")}
    assert served.anybody.get("/v1/jobs", headers=headers).status_code == 401


def test_a_browser_asks_for_the_key_and_sends_it_as_a_password(served: Tenants) -> None:
    request = served.anybody.get("/v1/jobs", headers={"Accept": "text/html,*/*"})
    assert "Basic realm" in request.headers["WWW-Authenticate"]
    _, secret = served.store.keys.create("person", OURS, Scope.READ)
    basic = "Basic " + base64.b64encode(f"me:{secret}".encode()).decode()
    assert ask(served.anybody, basic).status_code == 200
    foreign = {"Authorization": basic, "Sec-Fetch-Site": "cross-site"}
    assert served.anybody.get("/v1/jobs", headers=foreign).status_code == 401


def test_a_key_over_its_rate_limit_gets_429_with_retry_after(served: Tenants) -> None:
    first = served.ours.get("/v1/measures")
    assert first.headers["RateLimit-Policy"] == '"key";q=20;w=60'
    assert first.headers["RateLimit"].startswith('"key";r=19;t=')
    answers = [served.ours.get("/v1/measures") for _ in range(20)]
    assert {each.status_code for each in answers[:19]} == {200}
    refused = answers[-1]
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:salience:problem:too-many-requests")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit"].startswith('"key";r=0;t=')
    assert served.theirs.get("/v1/measures").status_code == 200, "each key has its own limit"


def test_a_tenant_with_too_many_open_jobs_gets_429(
    store: Store, redis_url: str, tmp_path: Path, ingredients: AuditInputs
) -> None:
    with tenants(store, tmp_path, broker_url=redis_url, max_open_jobs=1, max_job_runs=3) as both:
        assert both.ours.post("/v1/jobs", json=ingredients.body()).status_code == 202
        refused = both.ours.post("/v1/jobs", json=ingredients.body())
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:salience:problem:too-many-jobs")
        assert int(refused.headers["Retry-After"]) > 0
        assert both.theirs.post("/v1/jobs", json=ingredients.body()).status_code == 202
        many = [ingredients.cohort(name, 0, 1) for name in "ab"]
        answer = both.theirs.post("/v1/jobs", json=ingredients.body(cohorts=many))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cohorts")
        assert "SALIENCE_MAX_JOB_RUNS" in answer.json()["detail"]


def test_keys_and_rate_limits_work_while_the_broker_is_unavailable(store: Store, tmp_path: Path) -> None:
    with tenants(store, tmp_path, broker_url=f"redis://127.0.0.1:{free_port()}/0", rate_limit_per_minute=2) as both:
        answers = [both.ours.get("/v1/measures").status_code for _ in range(3)]
    assert answers == [200, 200, 429], "without the broker, each process counts the requests itself"


def test_a_uri_with_a_private_address_is_refused_with_its_field(api: httpx.Client, ingredients: AuditInputs) -> None:
    body = ingredients.body(images={"uri": "http://169.254.169.254/latest/meta-data"})
    answer = api.post("/v1/jobs", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "images.uri")
    assert "SALIENCE_ALLOWED_HOSTS" in answer.json()["detail"]


def test_the_client_sends_the_given_key_or_the_key_in_the_environment(
    served: Tenants, ingredients: AuditInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = served.store.keys.create("ci", OURS, Scope.SUBMIT)
    url = str(served.anybody.base_url)
    with Client(url, api_key=secret) as given:
        job = given.submit(ingredients.body())
    monkeypatch.setenv("SALIENCE_API_KEY", secret)
    with Client(url) as found:
        assert found.job(job.id).id == job.id
    monkeypatch.delenv("SALIENCE_API_KEY")
    with Client(url) as without_key, pytest.raises(RequestRejected, match="salience keys create"):
        without_key.job(job.id)
