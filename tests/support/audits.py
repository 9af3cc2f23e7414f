"""Runs whole audits with a worker in this process."""

import json
from typing import Any

import numpy as np

from service.domain.job import Job, JobState
from service.domain.work import ACROSS_RUNS
from service.spec.model import JobSpec, spec_digest
from service.storage import Store
from worker.runner import Runner


def audit(runner: Runner, spec: JobSpec) -> Job:
    """Submit a job and run all waiting shards. Returns the job, which has then ended."""
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
    """Return a results document without the fields that differ if the same audit runs twice."""
    provenance = {key: value for key, value in document["provenance"].items() if key != "spec"}
    return {**document, "job": None, "provenance": provenance}


Columns = dict[str, float | None]


def columns_of(store: Store, job: Job) -> dict[str, dict[int, Columns]]:
    """Return the values of each image by image name, run and column. A missing value (NaN) becomes None."""
    assert job.state is JobState.SUCCEEDED, job.error
    found: dict[str, dict[int, Columns]] = {}
    for each in store.images.measured(job.id, 0, job.images_total or 0):
        image_set = job.image_set_of(each.image.number)
        for row in each.values:
            names = image_set.across[row.cohort] if row.run == ACROSS_RUNS else image_set.run
            numbers = [None if np.isnan(number) else float(number) for number in np.frombuffer(row.data)]
            found.setdefault(each.image.name, {})[row.run] = dict(zip(names, numbers, strict=True))
    return found
