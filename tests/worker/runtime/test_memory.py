"""A memory limit makes batches smaller, but changes no result."""

import multiprocessing
import resource
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from service.spec.model import JobSpec
from tests.support.jobs import AuditInputs, write_image
from worker.local import local_audit
from worker.runtime.memory import keep_freed_memory, limit_memory
from worker.settings import WorkerSettings

IMAGES, SPARE_BYTES = 16, 120 * 2**20


def audit(spec: JobSpec, folder: Path, spare: int | None, connection: Connection) -> None:
    """Audit with a limit of `spare` bytes beyond the memory in use.

    Sends the batch size at the end of the audit, and the results, over the connection.
    """
    torch.set_num_threads(1)
    with local_audit(spec, WorkerSettings(data_dir=folder, batch_size=IMAGES)) as prepared:
        prepared.runner.work()
        if spare is not None:
            limit_memory(data_in_use() + spare)
        assert prepared.run().state == "succeeded", prepared.job_state().error
        batch_size = prepared.runner.context.batch_size.images(spec.passes(), (160, 160))
        connection.send((batch_size, (prepared.store.jobs.summary(prepared.job) or "").replace(prepared.job, "")))


def data_in_use() -> int:
    """Return the size of this process's data, which the memory limit counts, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))


def test_a_memory_limit_halves_batches_and_changes_no_result(ingredients: AuditInputs, tmp_path: Path) -> None:
    for number in range(IMAGES):
        write_image(tmp_path / "images" / f"{number}.png", np.random.default_rng(number))
    cohort = ingredients.cohort("large", 0)
    cohort["model"]["preprocessing"]["size"] = [160, 160]
    images = {"uri": (tmp_path / "images").as_uri()}
    measures = ["entropy", "geometry"]
    spec = ingredients.spec(cohorts=[cohort], images=images, measures=measures, options={}, shard_size=IMAGES)
    found = []
    for spare in (None, SPARE_BYTES):
        receiver, sender = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=audit, args=(spec, tmp_path, spare, sender))
        process.start()
        sender.close()
        found.append(receiver.recv())
        process.join()
    (unlimited, unlimited_results), (limited, limited_results) = found
    assert unlimited == IMAGES
    assert limited < IMAGES
    assert limited_results == unlimited_results


def test_without_a_setting_the_memory_limit_of_the_process_does_not_change() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit_memory(None)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def page_faults(times: int) -> int:
    """Allocate and free a block of 8 MiB `times` times. Return how many page faults this causes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(2 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_freed_memory_is_reused_and_not_returned_to_the_system() -> None:
    keep_freed_memory()
    page_faults(2)
    pages = 2 * 2**20 * 4 // 4096
    assert page_faults(20) < 20 * pages / 2
