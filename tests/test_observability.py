"""Checks the logs, spans and metrics of one job, from its request to its shards, in a service of its own."""

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
class ObservedJob:
    """The ID of a job, the spans and the log of the service, and the metrics of the API and of the worker."""

    job: str
    spans: list[Received]
    log: str
    api: dict[str, float]
    worker: dict[str, float]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The records of the log, without the lines of plain text that Celery prints when it stops."""
        return [json.loads(line) for line in self.log.splitlines() if not line.startswith("worker: ") and line]

    def request_span(self, span: Received) -> Received:
        """Return the topmost recorded ancestor of a span, which is the span of the request."""
        by_id = {each.id: each for each in self.spans}
        while span.parent in by_id:
            span = by_id[span.parent]
        return span


def scrape(url: str) -> dict[str, float]:
    families = text_string_to_metric_families(httpx.get(url).raise_for_status().text)
    samples = [sample for family in families for sample in family.samples]
    return {sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value for sample in samples}


@pytest.fixture(scope="module")
def observed(ingredients: AuditInputs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObservedJob]:
    port = free_port()
    base = Installation.make(tmp_path_factory.mktemp("observed"), log_format="json", metrics_port=port)
    with receiver() as collector:
        tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        installation = replace(base, environment={**base.environment, **tracing})
        with installation.serve(), httpx.Client(base_url=installation.url) as client:
            bad = ingredients.body(images={"uri": f"ftp://u:{SECRET}@localhost:1/?X-Amz-Signature={SECRET}"})
            for headers in ({}, {"Authorization": f"Bearer {SECRET}"}):  # the key in the second header does not exist
                client.post("/v1/jobs", json=bad, headers=headers)
            client.get(f"/v1/jobs/x?token={SECRET}")
            job = client.post("/v1/jobs", json=ingredients.body(), headers={"X-Request-ID": "mine"}).json()["id"]
            installation.run("wait", job)
            end = time.monotonic() + WAIT_SECONDS
            while not any(span.name == "summarise shard" for span in collector.spans) and time.monotonic() < end:
                time.sleep(0.05)
            metrics = scrape(f"{installation.url}/metrics"), scrape(f"http://127.0.0.1:{port}/metrics")
        yield ObservedJob(job, collector.spans, (installation.folder / "log.txt").read_text(), *metrics)


def test_every_log_line_is_json_with_the_ids_of_its_request_job_and_shard(observed: ObservedJob) -> None:
    accepted = next(line for line in observed.lines if line["message"] == "Job accepted")
    assert (accepted["job"], accepted["request"]) == (observed.job, "mine")
    shards = [line for line in observed.lines if line["logger"] == "worker.runner" and line.get("job") == observed.job]
    assert len(shards) >= 3
    assert all("shard" in line for line in shards)


def test_no_log_line_contains_a_secret(observed: ObservedJob) -> None:
    assert SECRET not in observed.log


def test_the_spans_of_shards_belong_to_the_trace_of_the_request(observed: ObservedJob) -> None:
    shards = [span for span in observed.spans if span.service == "salience-worker"]
    assert {span.name for span in shards} == {"plan shard", "measure shard", "summarise shard"}
    assert {span.facts["salience.job"] for span in shards} == {observed.job}
    assert len({span.trace for span in shards}) == 1
    assert {(observed.request_span(span).service, observed.request_span(span).name) for span in shards} == {
        ("salience-api", "POST /v1/jobs")
    }


def test_no_span_contains_a_secret(observed: ObservedJob) -> None:
    assert SECRET not in repr(observed.spans)


def test_the_api_counts_requests_by_route_and_jobs_by_state(observed: ObservedJob) -> None:
    assert observed.api["salience_http_requests_total POST /v1/jobs 202"] == 1
    assert observed.api["salience_http_requests_total GET /v1/jobs/{job_id} 404"] == 1
    assert observed.api["salience_jobs succeeded"] == 1
    assert observed.api["salience_shards waiting"] == 0
    assert observed.api["salience_database_up"] == 1


def test_the_worker_counts_shards_passes_and_its_cache(observed: ObservedJob) -> None:
    assert observed.worker["salience_worker_shards_total plan done"] == 1
    assert observed.worker["salience_worker_passes_total"] > 0
    # Each of the two models is loaded once, and once more if another process makes the stored maps.
    assert observed.worker["salience_worker_cache_requests_total models miss"] in (2, 4)
    assert observed.worker["salience_worker_cache_requests_total models hit"] > 0
    assert observed.worker["salience_worker_shard_seconds_count summarise"] == 1
