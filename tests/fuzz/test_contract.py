"""Schemathesis generates valid and invalid requests from the API's OpenAPI document, and follows links in responses.

No response may be a 5xx, or have a status, header, content type or body that the OpenAPI document does not describe.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.jobs import AuditInputs
from tests.support.servers import free_port
from tests.support.tenants import tenants
from tests.support.worker_thread import working
from worker.runner import Runner

HERE = Path(__file__).parent
# The number of examples by test phase: sequences of linked requests, then requests of each operation. The number does
# not depend on time, so that every machine sends the same requests. Sequences run first, before requests hit limits.
EXAMPLES = {"stateful": 10, "coverage,fuzzing": 4}
GATE = {"rules": [{"measure": "entropy", "op": ">=", "value": 0}]}  # gives the job a verdict


@pytest.mark.timeout(600)  # the test sends about 3,000 requests
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_response_matches_the_openapi_document(
    runner: Runner, redis_url: str, ingredients: AuditInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")  # no server listens on this port
    request = [
        *("--exclude-path-regex", "/events$"),  # Schemathesis would wait for the end of an event stream
        *("--generation-deterministic", "--seed", 1),
        *("--checks", "all", "--no-color", "--continue-on-failure", "--request-timeout", 70, "--no-shrink"),
        *("--suppress-health-check", "all", "--warnings", "off"),
    ]
    program = Path(sys.executable).parent / "schemathesis"
    with working(runner), tenants(runner.store, tmp_path, broker_url=redis_url, mlflow_secret="m" * 40) as served:
        api, body = served.ours, ingredients.body(measures=["entropy"], options={}, gate=GATE)
        argv = [program, "--config-file", HERE / "schemathesis.toml", "run", f"{api.base_url}/openapi.json", *request]
        argv += ["--header", f"Authorization: {api.headers['Authorization']}"]
        api.post("/v1/jobs", json=body).raise_for_status()
        hooks = {"SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks", "PYTHONPATH": str(HERE.parents[1])}
        message = ""
        for phases, examples in EXAMPLES.items():
            found = subprocess.run(
                list(map(str, [*argv, "--phases", phases, "--max-examples", examples])), cwd=tmp_path,
                env={**os.environ, **hooks, "FUZZ_BODY": json.dumps(body)}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert found.returncode == 0, found.stdout + found.stderr
            message += found.stdout
    followed = re.search(r"API Links: +(\d+) covered", message)
    assert followed and int(followed[1]) > 0, message
