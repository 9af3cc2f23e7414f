"""A bound on memory makes batches smaller, and no number another."""

import multiprocessing
import resource
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from service.spec.model import JobSpec
from tests.support.jobs import AuditInputs, write_image
from worker.local import local_audit
from worker.runtime.memory import limit_memory
from worker.settings import WorkerSettings

IMAGES, ROOM = 16, 120 * 2**20


def audit(spec: JobSpec, folder: Path, room: int | None, answer: Connection) -> None:
    """Audit with so much memory beyond what is in use; answer how many pictures fit in the end, and the results."""
    torch.set_num_threads(1)
    with local_audit(spec, WorkerSettings(data_dir=folder, batch_size=IMAGES)) as prepared:
        prepared.runner.work()
        if room is not None:
            limit_memory(data_in_use() + room)
        assert prepared.run().state == "succeeded", prepared.job_state().error
        fitting = prepared.runner.context.batch_size.images(spec.passes(), (160, 160))
        answer.send((fitting, (prepared.store.jobs.summary(prepared.job) or "").replace(prepared.job, "")))


def data_in_use() -> int:
    """Bytes of this process's data, as the limit counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))


def test_a_bound_on_memory_halves_batches_and_changes_no_number(ingredients: AuditInputs, tmp_path: Path) -> None:
    for number in range(IMAGES):
        write_image(tmp_path / "pictures" / f"{number}.png", np.random.default_rng(number))
    cohort = ingredients.cohort("large", 0)
    cohort["model"]["preprocessing"]["size"] = [160, 160]
    images = {"uri": (tmp_path / "pictures").as_uri()}
    measures = ["entropy", "geometry"]
    spec = ingredients.spec(cohorts=[cohort], images=images, measures=measures, options={}, shard_size=IMAGES)
    found = []
    for room in (None, ROOM):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=audit, args=(spec, tmp_path, room, theirs))
        process.start()
        theirs.close()
        found.append(ours.recv())
        process.join()
    (free, free_results), (bound, bound_results) = found
    assert free == IMAGES
    assert bound < IMAGES
    assert bound_results == free_results


def test_without_a_bound_nothing_is_limited() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit_memory(None)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
