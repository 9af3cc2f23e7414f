"""Processes that are asked to stop: they give back what they hold, at once, and nothing is lost or counted."""

import os
import signal
import subprocess
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
from tests.faults.job_ledger import audit_books, post_all, undisturbed
from tests.support.jobs import AuditInputs
from tests.support.processes import Installation
from tests.support.production import Production, production

BLAMED = "SELECT coalesce(sum(deaths + troubles + restarts), 0) FROM shards"
HELD = "SELECT count(*) FROM shards WHERE kind = 'measure' AND state = 'running'"
RUNNING = "SELECT count(*) FROM shards WHERE state = 'running'"


def ask(url: str, query: str) -> int:
    """The one number that a query gives."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def await_held(url: str, held: str = HELD) -> None:
    end = time.monotonic() + 60
    while not ask(url, held):
        assert time.monotonic() < end, f"nothing is running: {held}"
        time.sleep(0.02)


@pytest.fixture
def installation(tmp_path: Path, postgres_server: str, redis_url: str) -> Installation:
    database = create_database(postgres_server).replace("+psycopg", "")
    made = Installation.make(
        tmp_path, database_url=database, broker_url=redis_url.removesuffix("/0") + "/6", stop_seconds=2
    )
    made.run("migrate")
    return made


def stop(worker: "subprocess.Popen[bytes]") -> float:
    """Ask a worker to stop. Returns the seconds that it takes."""
    start = time.monotonic()
    worker.terminate()
    worker.wait(timeout=30)
    return time.monotonic() - start


def test_a_worker_that_is_asked_to_stop_gives_its_shard_back_between_batches(
    ingredients: AuditInputs, installation: Installation
) -> None:
    cohort = ingredients.cohort("long", 0, 1, 2)
    cohort["model"]["preprocessing"]["size"] = [96, 96]
    spec = installation.write_spec(ingredients.body(cohorts=[cohort], options={}))
    url = installation.environment["SALIENCE_DATABASE_URL"]
    with installation.serve():
        job = installation.run("submit", spec).strip()
        with installation.start("worker") as worker:
            await_held(url)
            assert stop(worker) < 10
        assert (ask(url, HELD), ask(url, BLAMED)) == (0, 0)
        with installation.start("worker"):
            installation.run("wait", job)
    assert ask(url, BLAMED) == 0


class Endless(nn.Module):
    """Two classes; on a picture that is not the example it never comes to an end."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 2)."""
        while bool(images.min() < 0):  # normalised pictures are, the loader's example is not
            images = images - 1
        pooled: Tensor = self.head(self.features(images).relu().mean((2, 3)))
        return pooled


def test_a_worker_that_cannot_stop_in_time_is_ended_and_its_shard_goes_to_others(
    ingredients: AuditInputs, installation: Installation, tmp_path: Path
) -> None:
    torch.jit.save(torch.jit.script(Endless().eval()), tmp_path / "endless.pt")
    cohort = {**ingredients.cohort("endless", 0), "runs": [{"uri": (tmp_path / "endless.pt").as_uri()}]}
    spec = installation.write_spec(ingredients.body(cohorts=[cohort], measures=["entropy"]))
    url = installation.environment["SALIENCE_DATABASE_URL"]
    with installation.serve():
        installation.run("submit", spec)
        with installation.start("worker") as worker:
            await_held(url, RUNNING)  # its plan runs the model, and never ends
            assert 1.5 < stop(worker) < 10
        assert (ask(url, RUNNING), ask(url, BLAMED)) == (0, 0)


@contextmanager
def rolling(running: Production) -> Iterator[None]:
    """Restart every process of ours in turn, while this context is open."""
    done = threading.Event()

    def restart_all() -> None:
        for kept in [*running.workers, *running.apis] * 2:
            before = kept.pid
            assert before is not None
            os.kill(before, signal.SIGTERM)
            while not done.is_set() and kept.pid in (None, before):
                time.sleep(0.05)
            done.wait(1.5)

    thread = threading.Thread(target=restart_all)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_rolling_restarts_lose_nothing(ingredients: AuditInputs, tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = [ingredients.body(shard_size=4)]
    wanted = [undisturbed(body, tmp_path) for body in bodies]
    with production(tmp_path) as running:
        with rolling(running):
            ended = post_all(running, bodies, lambda number: number < 12)
        books = audit_books(running, ended, wanted, rows=12 * 3)
        assert (books.lost, books.different, books.doubled) == ([], [], 0)
        assert ask(running.installation.environment["SALIENCE_DATABASE_URL"], BLAMED) == 0
