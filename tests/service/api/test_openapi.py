"""Checks that the OpenAPI document is valid and describes errors as problems, and that a generated client works."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from service.main import create_app
from service.settings import ServiceSettings
from tests.support.jobs import AuditInputs
from tests.support.worker_thread import working
from worker.runner import Runner

PROGRAMS = Path(sys.executable).parent
STATES = {("/readyz", "503")}  # the body has the result of each health check, and is not a problem

# A program that uses the generated client: it submits the spec in argv[2], and polls the job until it has ended.
USER = """
import json, sys
from salience_audit_service_client import Client
from salience_audit_service_client.api.jobs import get_v1_jobs_job_id_get as get
from salience_audit_service_client.api.jobs import results_v1_jobs_job_id_results_get as results
from salience_audit_service_client.api.jobs import submit_v1_jobs_post as submit
from salience_audit_service_client.models import JobBody, JobSpec, Problem

with Client(base_url=sys.argv[1], timeout=60, raise_on_unexpected_status=True) as client:
    spec = json.loads(sys.argv[2])
    job = submit.sync(client=client, body=JobSpec.from_dict(spec))
    assert isinstance(job, JobBody), job
    while job.state in ("queued", "running"):
        job = get.sync(job.id, client=client, wait=30)
        assert isinstance(job, JobBody), job
    found = results.sync_detailed(job.id, client=client)
    unknown = get.sync("0", client=client)
    spec["images"]["uri"] = "file:///nowhere"
    refused = submit.sync(client=client, body=JobSpec.from_dict(spec))
    assert isinstance(unknown, Problem) and isinstance(refused, Problem)
    print(json.dumps([job.state, json.loads(found.content), unknown.to_dict(), refused.to_dict()]))
"""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(ServiceSettings()).openapi()


def references(part: Any) -> Iterator[str]:
    """Yield every `$ref` in a part of an OpenAPI document."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        if key == "$ref":
            yield value
        else:
            yield from references(value)


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_reference_names_an_existing_schema(document: dict[str, Any]) -> None:
    named = set(references(document))
    assert "#/components/schemas/Problem" in named
    assert named <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_every_error_response_is_a_problem(document: dict[str, Any]) -> None:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    errors = {
        (path, status): answer.get("content")
        for path, operations in document["paths"].items()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if not status.startswith(("2", "3"))
    }
    assert len(errors) > len(document["paths"])
    assert {place for place, found in errors.items() if found != content} == STATES


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_generated_client_submits_and_reads_a_job(
    api: httpx.Client, runner: Runner, ingredients: AuditInputs, tmp_path: Path
) -> None:
    environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path / "made")}
    make = [str(PROGRAMS / "openapi-python-client"), "generate", "--url", f"{api.base_url}/openapi.json"]
    make += ["--output-path", str(tmp_path / "made")]
    subprocess.run(make, env=environment, capture_output=True, text=True, check=True)
    spec = json.dumps(ingredients.body(measures=["entropy"], salience={"method": "gradcam++"}))
    with working(runner):
        found = subprocess.run(
            [sys.executable, "-c", USER, str(api.base_url), spec],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert found.returncode == 0, found.stderr
    state, results, unknown, refused = json.loads(found.stdout)
    assert state == "succeeded"
    assert results["cohorts"]["plain"]["measures"]["entropy"]["n"] == 12 * 2
    assert (unknown["status"], unknown["type"]) == (404, "urn:salience:problem:job-not-found")
    assert [each["field"] for each in refused["errors"]] == ["images.uri"]
