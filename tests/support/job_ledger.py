"""Submits jobs with idempotency keys and retries, as a pipeline does, and checks their results."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from service.spec.model import JobSpec, Json
from tests.support.production import Production
from worker.local import local_audit
from worker.settings import WorkerSettings

AT_ONCE = 4


@dataclass(frozen=True)
class Ended:
    """The ID, number, state and results of a job that has ended.

    `results` does not contain the job's ID, and is None if the job did not succeed.
    """

    job: str
    number: int
    state: str
    results: Json | None


def post_all(production: Production, bodies: Sequence[Mapping[str, Any]], go_on: Callable[[int], bool]) -> list[Ended]:
    """Submit jobs 0, 1, 2, ... while `go_on(number)` is true, AT_ONCE jobs at a time, with the bodies in turn.

    Waits until all jobs have ended. Returns them in the order of their numbers.
    """
    clients = production.clients

    def follow(first: int) -> list[Ended]:
        ended, number = [], first
        while go_on(number):
            client = clients[number % len(clients)]
            job = client.submit(bodies[number % len(bodies)], key=f"job-{number}").id
            last = client.wait(job)
            results = client.results(job).raw if last.state == "succeeded" else None
            ended.append(Ended(job, number, last.state, without_identity(results)))
            number += AT_ONCE
        return ended

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [each for ended in pool.map(follow, range(AT_ONCE)) for each in ended]
    return sorted(found, key=lambda each: each.number)


def without_identity(results: Json | None) -> Json | None:
    """Return results without the job's ID."""
    return {**results, "job": None} if results else None


def run_without_faults(body: Mapping[str, Any], folder: Path) -> Json:
    """Run a job in this process, where no process is killed. Returns its results without the job's ID."""
    spec = JobSpec.model_validate(body)
    with local_audit(spec, WorkerSettings(data_dir=folder)) as audit:
        audit.run()
        results = without_identity(json.loads(audit.store.jobs.summary(audit.job) or "null"))
    assert results is not None
    return results


@dataclass(frozen=True)
class LedgerErrors:
    """The errors found in a list of ended jobs.

    `lost` has the IDs of the jobs that did not succeed, `different` those of the jobs with unexpected results.
    `doubled` counts surplus jobs, and jobs with duplicate shards or a wrong number of rows.
    """

    lost: Sequence[str]
    different: Sequence[str]
    doubled: int


def compare_jobs(production: Production, ended: Sequence[Ended], wanted: Sequence[Json], rows: int) -> LedgerErrors:
    """Compare the ended jobs with the results `wanted`. Each job must have `rows` rows in the table of values."""
    with psycopg.connect(production.installation.environment["SALIENCE_DATABASE_URL"]) as connection:
        jobs = connection.execute("SELECT count(*) FROM jobs").fetchone()
        counts = connection.execute(
            "SELECT jobs.id, (SELECT count(*) FROM image_values WHERE job = jobs.number), "
            "(SELECT count(*) - count(DISTINCT (kind, cohort, start)) FROM shards WHERE job = jobs.number) FROM jobs"
        ).fetchall()
    assert jobs is not None
    odd = sum(values != rows or twice for _, values, twice in counts)
    return LedgerErrors(
        lost=[each.job for each in ended if each.state != "succeeded"],
        different=[
            each.job for each in ended if each.results is not None and each.results != wanted[each.number % len(wanted)]
        ],
        doubled=jobs[0] - len(ended) + odd,
    )
