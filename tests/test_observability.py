"""One job, followed from its request to its shards by logs, spans and metrics, as the console script runs it."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.jobs import AuditInputs
from tests.support.processes import Installation
from tests.support.servers import free_port
from tests.support.spans import Received, receiver

SECRET = "hunter2SECRET"
WAIT_SECONDS = 30


@dataclass(frozen=True)
class Followed:
    """What was seen of a job."""

    job: str
    spans: list[Received]
    log: str
    api: dict[str, float]
    worker: dict[str, float]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log; Celery takes its leave on standard output, not in the log."""
        return [json.loads(line) for line in self.log.splitlines() if not line.startswith("worker: ") and line]

    def request_of(self, span: Received) -> Received:
        """The span of the request above a span."""
        above = {each.id: each for each in self.spans}
        while span.parent in above:
            span = above[span.parent]
        return span


def scrape(url: str) -> dict[str, float]:
    families = text_string_to_metric_families(httpx.get(url).raise_for_status().text)
    samples = [sample for family in families for sample in family.samples]
    return {sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value for sample in samples}


@pytest.fixture(scope="module")
def followed(ingredients: AuditInputs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    port = free_port()
    made = Installation.make(tmp_path_factory.mktemp("observed"), log_format="json", metrics_port=port)
    with receiver() as collector:
        usual = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        installation = replace(made, environment={**made.environment, **usual})
        with installation.serve(), httpx.Client(base_url=installation.url) as client:
            bad = ingredients.body(images={"uri": f"ftp://u:{SECRET}@localhost:1/?X-Amz-Signature={SECRET}"})
            for headers in ({}, {"Authorization": f"Bearer {SECRET}"}):  # the second comes no further than the door
                client.post("/v1/jobs", json=bad, headers=headers)
            client.get(f"/v1/jobs/x?token={SECRET}")
            job = client.post("/v1/jobs", json=ingredients.body(), headers={"X-Request-ID": "mine"}).json()["id"]
            installation.run("wait", job)
            end = time.monotonic() + WAIT_SECONDS
            while not any(span.name == "summarise shard" for span in collector.spans) and time.monotonic() < end:
                time.sleep(0.05)
            seen = scrape(f"{installation.url}/metrics"), scrape(f"http://127.0.0.1:{port}/metrics")
        yield Followed(job, collector.spans, (installation.folder / "log.txt").read_text(), *seen)


def test_every_line_is_json_and_says_what_it_is_about(followed: Followed) -> None:
    accepted = next(line for line in followed.lines if line["message"] == "A job waits")
    assert (accepted["job"], accepted["request"]) == (followed.job, "mine")
    shards = [line for line in followed.lines if line["logger"] == "worker.runner" and line.get("job") == followed.job]
    assert len(shards) >= 3
    assert all("shard" in line for line in shards)


def test_no_line_holds_a_secret(followed: Followed) -> None:
    assert SECRET not in followed.log


def test_the_shards_spans_are_of_the_requests_trace(followed: Followed) -> None:
    shards = [span for span in followed.spans if span.service == "salience-worker"]
    assert {span.name for span in shards} == {"plan shard", "measure shard", "summarise shard"}
    assert {span.facts["salience.job"] for span in shards} == {followed.job}
    assert len({span.trace for span in shards}) == 1
    assert {(followed.request_of(span).service, followed.request_of(span).name) for span in shards} == {
        ("salience-api", "POST /v1/jobs")
    }


def test_no_span_holds_a_secret(followed: Followed) -> None:
    assert SECRET not in repr(followed.spans)


def test_the_api_counts_requests_by_route_and_jobs_by_state(followed: Followed) -> None:
    assert followed.api["salience_http_requests_total POST /v1/jobs 202"] == 1
    assert followed.api["salience_http_requests_total GET /v1/jobs/{job_id} 404"] == 1
    assert followed.api["salience_jobs succeeded"] == 1
    assert followed.api["salience_shards waiting"] == 0
    assert followed.api["salience_database_up"] == 1


def test_the_worker_counts_shards_passes_and_its_cache(followed: Followed) -> None:
    assert followed.worker["salience_worker_shards_total plan done"] == 1
    assert followed.worker["salience_worker_passes_total"] > 0
    # Its runs, and again for the maps that are kept.
    assert followed.worker["salience_worker_cache_requests_total models miss"] in (2, 4)
    assert followed.worker["salience_worker_cache_requests_total models hit"] > 0
    assert followed.worker["salience_worker_shard_seconds_count summarise"] == 1
