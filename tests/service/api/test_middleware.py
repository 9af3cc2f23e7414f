"""Tests of the request IDs, headers, metrics and log lines of valid and invalid requests."""

import logging
import time
from pathlib import Path

import httpx
import pytest

from service.main import create_app
from service.settings import ServiceSettings
from service.telemetry.logs import PlainLines
from tests.support.servers import serving


def without_database(tmp_path: Path) -> ServiceSettings:
    """Return the settings of a service whose database is unavailable."""
    return ServiceSettings(
        data_dir=tmp_path, broker_url="redis://127.0.0.1:1", database_url="postgresql://u:secret@127.0.0.1:1/d"
    )


def test_the_allow_header_lists_all_methods_of_a_path(api: httpx.Client) -> None:
    answer = api.put("/v1/jobs/none")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET")


def test_a_body_that_is_not_utf8_is_refused_with_a_problem_in_the_field_body(api: httpx.Client) -> None:
    answer = api.post("/v1/jobs", content=b'{"\x8f\xca"}', headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")


def test_unknown_paths_and_methods_create_no_metric_series(api: httpx.Client) -> None:
    for number in range(3):
        api.get(f"/no-such-path-{number}")
        api.request("PROPFIND", "/v1/jobs")
        assert api.request("BREW", "/v1/jobs").status_code == 400  # the HTTP parser answers before the application
    text = api.get("/metrics").text
    assert 'salience_http_requests_total{method="GET",route="unknown",status="404"} 3.0' in text
    assert 'method="other"' in text
    assert "PROPFIND" not in text
    assert "no-such-path" not in text
    assert "BREW" not in text


def test_the_latency_metric_excludes_requests_that_wait(api: httpx.Client) -> None:
    api.get("/v1/jobs/none?wait=1")
    text = api.get("/metrics").text
    assert 'salience_http_requests_total{method="GET",route="/v1/jobs/{job_id}",status="404"} 1.0' in text
    assert 'salience_http_request_seconds_count{method="GET",route="/v1/jobs/{job_id}"}' not in text


def test_the_latency_metric_excludes_uploads(api: httpx.Client) -> None:
    assert api.put("/v1/artifacts", content=b"a model").status_code == 201
    text = api.get("/metrics").text
    assert 'salience_http_requests_total{method="PUT",route="/v1/artifacts",status="201"} 1.0' in text
    assert 'route="/v1/artifacts"}' not in text


@pytest.mark.parametrize("given", ["mine-1", "a.b:c_d"])
def test_the_response_repeats_a_valid_request_id(api: httpx.Client, given: str) -> None:
    assert api.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a b", 'x"}', "x" * 65, "é"])
def test_an_invalid_request_id_is_replaced_by_a_new_one(api: httpx.Client, given: str) -> None:
    returned = api.get("/healthz", headers={b"X-Request-ID": given.encode()}).headers["X-Request-ID"]
    assert len(returned) == 32


@pytest.mark.parametrize("path", ["/", "/v1/jobs", "/v1/jobs/none", "/openapi.json", "/static/site.js", "/static/none"])
def test_every_response_tells_browsers_not_to_guess_its_media_type(api: httpx.Client, path: str) -> None:
    assert api.get(path).headers["X-Content-Type-Options"] == "nosniff"


def test_an_unhandled_error_gets_a_problem_that_names_the_request_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(without_database(tmp_path))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("/etc/secret/path")

    with caplog.at_level(logging.ERROR), serving(app) as url:
        answer = httpx.get(f"{url}/broken", headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "mine" in answer.json()["detail"]
    assert "secret" not in answer.text
    assert "/etc/secret/path" in caplog.text


def test_the_metrics_report_an_unavailable_database(tmp_path: Path) -> None:
    with serving(create_app(without_database(tmp_path))) as url:
        text = httpx.get(f"{url}/metrics").raise_for_status().text
    assert "salience_database_up 0.0" in text
    assert "salience_jobs" not in text
    assert "process_resident_memory_bytes" in text


LONG = [b"token-" * 400, b"token-" * 5000, b"a." * 15_000, b"eyJ-" * 7_500, b"x" * 30_000]


@pytest.mark.parametrize("text", LONG)
def test_a_long_path_or_header_causes_no_delay_and_no_long_log_line(
    api: httpx.Client, caplog: pytest.LogCaptureFixture, text: bytes
) -> None:
    started = time.process_time()  # includes the time of the service, which runs in a thread of this process
    with caplog.at_level(logging.INFO):
        api.get(f"/{text.decode()}")
        api.get(f"/v1/jobs/{text.decode()}?token={text.decode()}")
        for name in (b"Authorization", b"Cookie", b"X-Request-ID", b"traceparent", b"Accept", b"Host", b"Origin"):
            api.get("/v1/jobs", headers={name: text})
    assert time.process_time() - started < 1
    lines = [PlainLines().format(each) for each in caplog.records if each.name == "service.api.middleware"]
    assert [len(line) < 300 for line in lines] == [True] * 9
    assert "GET [cut, " in lines[0]
    assert "404 in " in lines[0]
