"""Stops processes: a worker releases its shard at once, no job is lost, and no shard counts a failure."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import torch
from torch import Tensor, nn

from tests.conftest import create_database
from tests.support.fork_server import RunningProcess
from tests.support.job_ledger import compare_jobs, post_all, run_without_faults
from tests.support.jobs import AuditInputs
from tests.support.processes import Installation
from tests.support.production import Production, production

FAILURES = "SELECT coalesce(sum(deaths + troubles + restarts), 0) FROM shards"
HELD = "SELECT count(*) FROM shards WHERE kind = 'measure' AND state = 'running'"
RUNNING = "SELECT count(*) FROM shards WHERE state = 'running'"


def query_number(url: str, query: str) -> int:
    """Run an SQL query that returns one row with one number. Returns the number."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def await_shard(url: str, query: str = HELD) -> None:
    end = time.monotonic() + 60
    while not query_number(url, query):
        assert time.monotonic() < end, f"no shard is running: {query}"
        time.sleep(0.02)


@pytest.fixture
def installation(tmp_path: Path, postgres_server: str, redis_url: str) -> Installation:
    database = create_database(postgres_server).replace("+psycopg", "")
    made = Installation.make(
        tmp_path, database_url=database, broker_url=redis_url.removesuffix("/0") + "/6", shutdown_grace_seconds=2
    )
    made.run("migrate")
    return made


def stop(worker: RunningProcess) -> float:
    """Stop a worker with SIGTERM and wait until it has ended. Returns the seconds that this takes."""
    start = time.monotonic()
    worker.terminate()
    worker.wait(timeout=30)
    return time.monotonic() - start


def test_a_stopping_worker_releases_its_shard_between_two_batches(
    ingredients: AuditInputs, installation: Installation
) -> None:
    cohort = ingredients.cohort("long", 0, 1, 2)
    cohort["model"]["preprocessing"]["size"] = [96, 96]
    spec = installation.write_spec(ingredients.body(cohorts=[cohort], options={}))
    url = installation.environment["SALIENCE_DATABASE_URL"]
    with installation.serve():
        job = installation.run("submit", spec).strip()
        with installation.start("worker") as worker:
            await_shard(url)
            assert stop(worker) < 10
        assert (query_number(url, HELD), query_number(url, FAILURES)) == (0, 0)
        with installation.start("worker"):
            installation.run("wait", job)
    assert query_number(url, FAILURES) == 0


class Endless(nn.Module):
    """A model of two classes that never returns for images, but does for the example input of the loader."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        while bool(images.min() < 0):  # true for normalised images, false for the example input of the loader
            images = images - 1
        pooled: Tensor = self.head(self.features(images).relu().mean((2, 3)))
        return pooled


def test_a_worker_that_cannot_stop_in_time_is_killed_and_its_shard_is_released(
    ingredients: AuditInputs, installation: Installation, tmp_path: Path
) -> None:
    torch.jit.save(torch.jit.script(Endless().eval()), tmp_path / "endless.pt")
    cohort = {**ingredients.cohort("endless", 0), "runs": [{"uri": (tmp_path / "endless.pt").as_uri()}]}
    spec = installation.write_spec(ingredients.body(cohorts=[cohort], measures=["entropy"]))
    url = installation.environment["SALIENCE_DATABASE_URL"]
    with installation.serve():
        installation.run("submit", spec)
        with installation.start("worker") as worker:
            await_shard(url, RUNNING)  # the worker runs the plan, and hangs in the model
            assert 1.5 < stop(worker) < 10
        assert (query_number(url, RUNNING), query_number(url, FAILURES)) == (0, 0)


@contextmanager
def rolling(running: Production) -> Iterator[None]:
    """Restart the workers and the API processes one after another, twice each, while this context is open."""
    done = threading.Event()

    def restart_all() -> None:
        for process in [*running.workers, *running.apis] * 2:
            before = process.pid
            assert before is not None
            os.kill(before, signal.SIGTERM)
            while not done.is_set() and process.pid in (None, before):
                time.sleep(0.05)
            done.wait(0.5)

    thread = threading.Thread(target=restart_all)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_rolling_restart_loses_no_job_and_counts_no_failure(ingredients: AuditInputs, tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = [ingredients.body(shard_size=4)]
    wanted = [run_without_faults(body, tmp_path) for body in bodies]
    with production(tmp_path) as running:
        with rolling(running):
            ended = post_all(running, bodies, lambda number: number < 12)
        ledger = compare_jobs(running, ended, wanted, rows=12 * 3)
        assert (ledger.lost, ledger.different, ledger.doubled) == ([], [], 0)
        assert query_number(running.installation.environment["SALIENCE_DATABASE_URL"], FAILURES) == 0
