"""A worker with simulated compute: it sleeps for the time of a GPU and stores random values. All else is real.

python -m benchmarks.sleeping       # instead of `salience worker`; SLEEP_SECONDS is the time per shard
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import resident
from service.domain.job import Image, Job
from service.domain.work import ACROSS_RUNS, Shard, ShardKind, ShardResult, Values
from worker import runner
from worker.app import make_app
from worker.runtime.lease import Lease
from worker.settings import WorkerSettings

SLEEP = "SLEEP_SECONDS"


def sleep_over(worker: runner.Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Process a shard like `audit_shard`, but sleep instead of computing."""
    images = worker.store.images.slice(job.id, shard.start, shard.stop)
    end = time.monotonic() + float(os.environ[SLEEP])
    while time.monotonic() < end:
        time.sleep(max(0.0, min(0.2, end - time.monotonic())))
        lease.check()
    if worker.store.shards.record_values(shard, random_result(job, shard, images)):
        worker.notify(1)
    log_memory("worker")


def random_result(job: Job, shard: Shard, images: Sequence[Image]) -> ShardResult:
    """Return random values in place of measures, and made-up digests in place of those of images."""
    assert job.plan is not None
    columns, draws = job.plan["columns"], np.random.default_rng(shard.start)
    widths = {run: len(columns["run"]) for run in range(len(job.spec.cohorts[shard.cohort].runs))}
    widths |= {ACROSS_RUNS: len(columns["across"][shard.cohort])} if columns["across"][shard.cohort] else {}
    read = [Image(each.number, each.name, each.label, each.path, sha256=f"{each.number:064x}") for each in images]
    values = [
        Values(shard.cohort, run, each.number, draws.random(width).astype("<f8").tobytes())
        for run, width in widths.items()
        for each in images
    ]
    passes = len(images) * len(job.spec.cohorts[shard.cohort].runs) * job.spec.passes()
    return ShardResult(read, values, passes, "simulated")


def plan(worker: runner.Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Plan as workers do, and log the peak memory."""
    runner.plan_job(worker, job, shard, lease)
    log_memory("planner")


def summarise(worker: runner.Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Summarise as workers do, and log the peak memory."""
    start = time.monotonic()
    runner.summarise_job(worker, job, shard, lease)
    log_memory("finaliser", f" {time.monotonic() - start:.1f}")


def log_memory(role: str, suffix: str = "") -> None:
    """Append the peak memory of this shard in MiB to the file that MEMORY_LOG names."""
    log = os.environ.get("MEMORY_LOG")
    if log:
        with Path(log).open("a") as file:
            file.write(f"{role} {resident.peak()}{suffix}\n")
        resident.reset_peak()


def main() -> None:
    """Run the worker."""
    simulated: runner.Kinds = {ShardKind.PLAN: plan, ShardKind.MEASURE: sleep_over, ShardKind.SUMMARISE: summarise}
    app = make_app(WorkerSettings.read(), {**runner.KINDS, **simulated})
    app.worker_main(["worker", "--concurrency=1", "--loglevel=WARNING", "--without-gossip", "--without-mingle"])


if __name__ == "__main__":
    main()
