"""Runs whole audits with a worker in this process."""

import json
from typing import Any

from service.domain.job import Job, JobState
from service.spec.model import JobSpec, spec_digest
from service.storage import Store
from worker.runner import Runner


def audit(runner: Runner, spec: JobSpec) -> Job:
    """Submit a job and run all of its shards."""
    job = runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id
    while runner.work():
        pass
    return runner.store.jobs.get(job)


def results(store: Store, job: Job) -> dict[str, Any]:
    assert job.state is JobState.SUCCEEDED, job.error
    document: dict[str, Any] = json.loads(store.jobs.summary(job.id) or "null")
    return document


def failure(job: Job) -> dict[str, Any]:
    assert job.state is JobState.FAILED
    assert job.error is not None
    return job.error


def without_identity(document: dict[str, Any]) -> dict[str, Any]:
    """A results document without the fields that differ between two runs of one audit."""
    provenance = {key: value for key, value in document["provenance"].items() if key != "spec"}
    return {**document, "job": None, "provenance": provenance}
