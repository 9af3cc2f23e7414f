"""Time and memory of planning a job whose manifest has a million rows: `python -m benchmarks.planning`.

Runs on a real Postgres (with fsync), with one worker process per kind of manifest. Each process prints its memory
before planning and the increase at its peak. No image is opened. The exit status is 0 if every plan takes less than
10 s.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks import resident
from service.artifacts.store import ArtifactStore
from service.domain.work import ShardKind
from service.spec.model import JobSpec
from service.storage import Store
from service.storage import migrate as schema
from tests.support.jobs import make_audit_inputs
from tests.support.servers import cluster
from worker.context import WorkerContext
from worker.inputs.cache import FileCache
from worker.inputs.resolver import InputResolver
from worker.runner import Runner, plan_job
from worker.runtime.lease import Lease

LEASE_SECONDS = 600.0
MAX_SECONDS = 10.0


def main() -> int:
    """Run the benchmark. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--one", nargs=2, help="a database and a manifest to plan in this process")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(plan(arguments.one[0], Path(arguments.one[1]))))
        return 0
    with TemporaryDirectory() as folder, cluster() as database:
        server = database.start(fsync=True)
        database.await_start()
        url = f"{database.url}postgres".replace("postgresql", "postgresql+psycopg", 1)
        store = Store.open(url)
        schema.upgrade(store.database.engine)
        store.database.close()
        durations = [measure(url, write(Path(folder), arguments.rows)) for write in MANIFESTS]
        server.terminate()
        server.wait()
    print(f"the longest plan of {arguments.rows:,} rows: {max(durations):.1f} s")
    return 0 if max(durations) < MAX_SECONDS else 1


def measure(url: str, manifest: Path) -> float:
    """Print the time and the memory of planning with a manifest. Returns the seconds."""
    argv = [sys.executable, "-m", "benchmarks.planning", "--one", url, str(manifest)]
    measured = json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)
    print(
        f"{manifest.name}: {measured['seconds']:.1f} s, processor {measured['processor']:.1f} s; "
        f"memory {measured['before']} + {measured['more']} MiB",
        flush=True,
    )
    return float(measured["seconds"])


def plan(url: str, manifest: Path) -> Mapping[str, float]:
    """Plan a job of one tiny model as a worker does, after an earlier plan has loaded the model."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        store, ingredients = Store.open(url), make_audit_inputs(folder)
        resolver = InputResolver((Path("/"),), ArtifactStore(str(folder / "artifacts")), FileCache(folder / "cache"))
        runner = Runner(
            store, WorkerContext.create(torch.device("cpu"), resolver, 4), "planner", LEASE_SECONDS, lambda _: None
        )
        body = ingredients.body(cohorts=[ingredients.cohort("one", 0)], measures=["entropy"], shard_size=250)
        _plan(runner, JobSpec.model_validate(body))
        resident.reset_peak()
        before = resident.now()
        processor, start = time.process_time(), time.perf_counter()
        _plan(runner, JobSpec.model_validate(body | {"images": {"uri": manifest.as_uri()}}))
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        return {"seconds": seconds, "processor": processor, "before": before, "more": resident.peak() - before}


def _plan(runner: Runner, spec: JobSpec) -> None:
    job, _ = runner.store.jobs.accept(spec, "", None)
    shard = runner.store.leases.claim(runner.name, LEASE_SECONDS)
    assert shard is not None and shard.kind is ShardKind.PLAN
    with Lease(runner.store.leases, shard, LEASE_SECONDS, runner.stopping) as lease:
        plan_job(runner, runner.store.jobs.get(job.id), shard, lease)
    runner.store.jobs.cancel(job.id)  # so that no other process takes the job's shards


def _rows(count: int) -> Iterator[tuple[str, str]]:
    """Return names and labels of `count` images."""
    return ((f"images/{number % 100:02}/{number:08}.png", "ab"[number % 2]) for number in range(count))


def _write_csv(folder: Path, count: int) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "label"), *_rows(count)])
    return path


def _write_json_lines(folder: Path, count: int) -> Path:
    path = folder / "manifest.jsonl"
    with path.open("w") as file:
        file.writelines(json.dumps({"image": name, "label": label}) + "\n" for name, label in _rows(count))
    return path


def _write_parquet(folder: Path, count: int) -> Path:
    path = folder / "manifest.parquet"
    names, labels = zip(*_rows(count), strict=True)
    pq.write_table(pa.table({"image": names, "label": labels}), path)
    return path


MANIFESTS: Sequence[Callable[[Path, int], Path]] = (_write_csv, _write_json_lines, _write_parquet)


if __name__ == "__main__":
    sys.exit(main())
