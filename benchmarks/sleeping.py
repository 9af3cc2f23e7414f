"""A worker whose compute is simulated: it sleeps for a GPU's time and hands in random numbers. All else is real.

python -m benchmarks.sleeping       # instead of `salience worker`; SLEEP_SECONDS is the time a shard
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import resident
from service.domain.job import ACROSS_RUNS, Image, Job, Shard, ShardKind, ShardResult, Values
from worker import runner
from worker.app import make_app
from worker.runtime.lease import Lease
from worker.settings import WorkerSettings

SLEEP = "SLEEP_SECONDS"


def sleep_over(worker: runner.Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Do a slice as `audit_shard` would, but for the measuring."""
    images = worker.store.images.slice(job.id, shard.start, shard.stop)
    end = time.monotonic() + float(os.environ[SLEEP])
    while time.monotonic() < end:
        time.sleep(max(0.0, min(0.2, end - time.monotonic())))
        lease.check()
    if worker.store.shards.record_values(shard, pretend(job, shard, images)):
        worker.notify(1)
    note_memory("worker")


def pretend(job: Job, shard: Shard, images: Sequence[Image]) -> ShardResult:
    """Numbers in place of measures, and digests in place of pictures read."""
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
    """Plan as workers do, and note the memory that it took."""
    runner.plan_job(worker, job, shard, lease)
    note_memory("planner")


def summarise(worker: runner.Runner, job: Job, shard: Shard, lease: Lease) -> None:
    """Sum up as workers do, and note the memory that it took."""
    start = time.monotonic()
    runner.summarise_job(worker, job, shard, lease)
    note_memory("finaliser", f" {time.monotonic() - start:.1f}")


def note_memory(role: str, more: str = "") -> None:
    """Append this shard's peak of resident memory in MiB to the file that MEMORY_LOG names."""
    log = os.environ.get("MEMORY_LOG")
    if log:
        with Path(log).open("a") as file:
            file.write(f"{role} {resident.peak()}{more}\n")
        resident.forget_peak()


def main() -> None:
    """Work as `salience worker` does."""
    own: runner.Kinds = {ShardKind.PLAN: plan, ShardKind.MEASURE: sleep_over, ShardKind.SUMMARISE: summarise}
    app = make_app(WorkerSettings.read(), {**runner.KINDS, **own})
    app.worker_main(["worker", "--concurrency=1", "--loglevel=WARNING", "--without-gossip", "--without-mingle"])


if __name__ == "__main__":
    main()
