"""Submits jobs over HTTP, and processes waiting shards in this process."""

from typing import Any

import httpx

from tests.support.jobs import AuditInputs
from worker.runner import Runner


def submit(api: httpx.Client, ingredients: AuditInputs, **changes: Any) -> dict[str, Any]:
    answer = api.post("/v1/jobs", json=ingredients.body(**changes))
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


def work_off(runner: Runner) -> None:
    while runner.work():
        pass
