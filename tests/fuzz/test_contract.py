"""Schemathesis asks the API all that its OpenAPI document allows, and what it forbids, and follows its answers on.

All of its checks hold: no 5xx, no status, header, content type or body that the document does not tell of.
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
# Of their own, and links first: else slow answers, and limits that were reached, leave none to follow.
SECONDS = {"stateful": 10, "coverage,fuzzing": 18}
GATE = {"rules": [{"measure": "entropy", "op": ">=", "value": 0}]}  # so that there is a verdict to go to


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_answer_is_as_the_document_says(
    runner: Runner, redis_url: str, ingredients: AuditInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")  # where nobody answers
    request = [
        *("--exclude-path-regex", "/events$"),  # streams, which end with a job or never
        *("--max-examples", 20, "--generation-deterministic", "--seed", 1),
        *("--checks", "all", "--no-color", "--continue-on-failure", "--request-timeout", 70, "--no-shrink"),
        *("--suppress-health-check", "all", "--warnings", "off"),
    ]
    program = Path(sys.executable).parent / "schemathesis"
    with working(runner), tenants(runner.store, tmp_path, broker_url=redis_url, mlflow_secret="m" * 40) as served:
        api, body = served.ours, ingredients.body(measures=["entropy"], options={}, gate=GATE)
        argv = [program, "--config-file", HERE / "schemathesis.toml", "run", f"{api.base_url}/openapi.json", *request]
        argv += ["--header", f"Authorization: {api.headers['Authorization']}"]
        api.post("/v1/jobs", json=body).raise_for_status()
        hooked = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "PYTHONPATH": str(HERE.parents[1])}
        message = ""
        for phases, seconds in SECONDS.items():
            found = subprocess.run(
                list(map(str, [*argv, "--phases", phases, "--max-time", seconds])), cwd=tmp_path,
                env={**hooked, "FUZZ_BODY": json.dumps(body)}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert found.returncode == 0, found.stdout + found.stderr
            message += found.stdout
    followed = re.search(r"API Links: +(\d+) covered", message)
    assert followed and int(followed[1]) > 0, message
