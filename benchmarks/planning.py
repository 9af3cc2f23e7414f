"""Seconds and memory of planning a job whose manifest has a million rows: `python -m benchmarks.planning`.

On a real Postgres that syncs, each kind of manifest in a worker's process of its own, which tells what it had of memory
before, and how much more at its peak. Nobody opens the pictures. Exit status 0 if every plan took less than 10 s.
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
from service.domain.job import ShardKind
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
WANTED_SECONDS = 10.0


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--one", nargs=2, help="a database and a manifest to plan in this process")
    request = parser.parse_args()
    if request.one:
        print(json.dumps(plan(request.one[0], Path(request.one[1]))))
        return 0
    with TemporaryDirectory() as folder, cluster() as database:
        server = database.start(fsync=True)
        database.await_start()
        url = f"{database.url}postgres".replace("postgresql", "postgresql+psycopg", 1)
        store = Store.open(url)
        schema.upgrade(store.database.engine)
        store.database.close()
        spans = [measure(url, write(Path(folder), request.rows)) for write in MANIFESTS]
        server.terminate()
        server.wait()
    print(f"the longest plan of {request.rows:,} rows: {max(spans):.1f} s")
    return 0 if max(spans) < WANTED_SECONDS else 1


def measure(url: str, manifest: Path) -> float:
    """Print what planning a manifest takes. Returns the seconds."""
    argv = [sys.executable, "-m", "benchmarks.planning", "--one", url, str(manifest)]
    message = json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout)
    print(
        f"{manifest.name}: {message['seconds']:.1f} s, of the processor {message['processor']:.1f} s; "
        f"memory {message['before']} + {message['more']} MiB",
        flush=True,
    )
    return float(message["seconds"])


def plan(url: str, manifest: Path) -> Mapping[str, float]:
    """Plan a job of one tiny model as a worker does, once the model has been loaded by an earlier plan."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        store, ingredients = Store.open(url), make_audit_inputs(folder)
        places = InputResolver((Path("/"),), ArtifactStore(str(folder / "artifacts")), FileCache(folder / "cache"))
        runner = Runner(
            store, WorkerContext.create(torch.device("cpu"), places, 4), "planner", LEASE_SECONDS, lambda _: None
        )
        body = ingredients.body(cohorts=[ingredients.cohort("one", 0)], measures=["entropy"], shard_size=250)
        _plan(runner, JobSpec.model_validate(body))
        resident.forget_peak()
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
    runner.store.jobs.cancel(job.id)  # whose slices nobody is to measure


def _rows(count: int) -> Iterator[tuple[str, str]]:
    """Names and labels."""
    return ((f"pictures/{number % 100:02}/{number:08}.png", "ab"[number % 2]) for number in range(count))


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
