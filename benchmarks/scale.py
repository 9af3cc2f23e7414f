"""Throughput by number of workers, and memory by number of images, with simulated compute.

    python -m benchmarks.scale workers      # 1, 2, 4, 8 workers: share of linear scaling, overhead per shard
    python -m benchmarks.scale images       # 1,000,000 images in 4,000 shards: peak memory of each process

Instead of computing, a worker sleeps for the time of a GPU and stores random values. Everything else is real: Postgres
(with fsync), Redis, Celery workers, claims, leases, planning, the transaction that stores values, and the summary.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from benchmarks import resident
from benchmarks.sleeping import SLEEP
from service.queue import parent_death
from tests.support.jobs import AuditInputs, make_audit_inputs
from tests.support.production import Production, production
from tests.support.supervised_process import SupervisedProcess

COUNTS = (1, 2, 4, 8)
SHARDS_PER_WORKER = 12
COUNT_DONE = "SELECT count(*) FILTER (WHERE state = 'done' AND kind = 'measure') FROM shards"


def main() -> int:
    """Run the benchmark. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("axis", choices=("workers", "images"))
    parser.add_argument("--seconds", type=float, default=4.0, help="simulated compute per shard of 250 images")
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=4_000)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with TemporaryDirectory() as name:
        folder = Path(name)
        ingredients = make_audit_inputs(folder)
        if arguments.axis == "workers":
            return by_workers(folder, ingredients, arguments.seconds)
        return by_images(folder, ingredients, arguments.images, arguments.shards)


def by_workers(folder: Path, ingredients: AuditInputs, seconds: float) -> int:
    """Print the throughput for each number of workers. Returns 0 if it is at least 0.9 of linear scaling, else 1."""
    ratios = []
    with production(folder, 1, 0) as running:
        for count in COUNTS:
            shards = SHARDS_PER_WORKER * count
            body = make_body(folder, ingredients, 250 * shards, 250)
            with sleepers(running, count, seconds):
                spent = measure_span(running, body, shards)
            ratios.append(shards * seconds / count / spent)
            overhead = 1000 * (spent * count / shards - seconds)
            print(
                f"{count} workers: {shards / spent:.2f} shards/s, {ratios[-1]:.2f} of linear scaling, "
                f"{overhead:.0f} ms overhead per shard"
            )
    print(f"share of linear scaling, 1 to 8 workers, {seconds:g} s of simulated compute per shard: {min(ratios):.2f}")
    return 0 if min(ratios) >= 0.9 else 1


def by_images(folder: Path, ingredients: AuditInputs, images: int, shards: int) -> int:
    """Print the peak memory of each process for a tenth of the images and for all. Returns the exit status."""
    peaks: list[Mapping[str, int]] = []
    for count in (images // 10, images):
        log = folder / f"memory-{count}"
        subfolder = folder / str(count)
        subfolder.mkdir()
        with production(subfolder, 1, 0) as running, sleepers(running, 2, 0.0, MEMORY_LOG=str(log)):
            body = make_body(folder, ingredients, count, images // shards)
            start = time.monotonic()
            ended = running.clients[0].wait(running.clients[0].submit(body).id)
            assert ended.state == "succeeded", ended
            spent = time.monotonic() - start
            # The worker logs this role after the job has ended.
            while "finaliser" not in (peaks_by_role := peaks_in(log)):
                time.sleep(0.1)
            peaks.append({**peaks_by_role, "API": resident.peak(running.apis[0].pid or 0)})
        print(f"{count} images in {count * shards // images} shards: {spent:.0f} s; peak MiB: {peaks[-1]}", flush=True)
    growth = {role: peaks[1][role] / peaks[0][role] for role in peaks[1]}
    print(
        "peak memory with all images, divided by peak memory with a tenth of them: "
        + ", ".join(f"{role} {by:.2f}" for role, by in growth.items())
    )
    return 0 if max(growth.values()) < 1.25 else 1


def make_body(folder: Path, ingredients: AuditInputs, images: int, shard_size: int) -> dict[str, Any]:
    """Return the spec of a job over a manifest of `images` images, which no process opens."""
    manifest = folder / f"{images}.csv"
    with manifest.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["image", "label"])
        lines.writerows((f"{number:08}.png", "ab"[number % 2]) for number in range(images))
    cohort = ingredients.cohort("sleeping", 0)
    return ingredients.body(
        cohorts=[cohort], images={"uri": manifest.as_uri()}, measures=["entropy"], shard_size=shard_size
    )


@contextmanager
def sleepers(running: Production, count: int, seconds: float, **more: str) -> Iterator[None]:
    """Run `count` workers of one process each. Waits until they have started."""
    environment = {**running.installation.environment, **more, SLEEP: str(seconds), "SALIENCE_MAX_WORKER_CRASHES": "3"}
    argv = [sys.executable, "-m", "benchmarks.sleeping"]
    with ExitStack() as stack, (running.installation.folder / "log.txt").open("ab") as log:
        for _ in range(count):
            stack.enter_context(
                SupervisedProcess(
                    lambda: subprocess.Popen(parent_death.command(argv), env=environment, stdout=log, stderr=log)
                )
            )
        time.sleep(3 + 3 * count)  # starting takes long, since each worker imports torch and there are few cores
        yield


def measure_span(running: Production, body: Mapping[str, Any], shards: int) -> float:
    """Submit a job. Returns the seconds from the claim of its first shard to the end of its last shard."""
    running.clients[0].submit(body)
    first = None
    with psycopg.connect(running.installation.environment["SALIENCE_DATABASE_URL"], autocommit=True) as connection:
        before = one(connection, COUNT_DONE)
        while True:
            if first is None and one(connection, "SELECT count(*) FROM shards WHERE kind = 'measure' AND attempt > 0"):
                first = time.monotonic() if one(connection, RUNNING) else None
            if first is not None and one(connection, COUNT_DONE) - before >= shards:
                return time.monotonic() - first
            time.sleep(0.02)


RUNNING = "SELECT count(*) FROM shards WHERE kind = 'measure' AND state = 'running'"


def one(connection: "psycopg.Connection[Any]", query: str) -> int:
    """Return the only number in the result of a query."""
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def peaks_in(log: Path) -> dict[str, int]:
    """Return the highest peak of each role in the log. A worker process has several roles in turn."""
    peaks: dict[str, int] = {}
    for line in log.read_text().splitlines():
        role, peak = line.split()[:2]
        peaks[role] = max(peaks.get(role, 0), int(peak))
    return peaks


if __name__ == "__main__":
    sys.exit(main())
