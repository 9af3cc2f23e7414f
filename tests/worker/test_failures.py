"""Failures of a shard: transient errors are retried after a pause, other errors fail the job at once."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, update

from service.domain.job import Job, JobState
from service.domain.work import Shard, ShardKind
from service.errors import JobNotFound
from service.spec.model import JobSpec, spec_digest
from service.storage.leases import LIMITS, TROUBLES
from service.storage.tables.base import Rows
from service.storage.tables.jobs import ShardRow
from tests.support.jobs import AuditInputs, write_image
from worker.runner import KINDS, Runner
from worker.runtime.lease import Lease

GATE = {"rules": [{"measure": "entropy", "op": "<=", "value": 0.99}]}
UNREADABLE = Path("/proc/self/mem")  # the first read of this file fails with an input/output error


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three images, one of which cannot be read, as on a broken disk."""
    for number in range(2):
        write_image(tmp_path / "images" / f"{number}.png", np.random.default_rng(number))
    (tmp_path / "images" / "bad.png").symlink_to(UNREADABLE)
    return tmp_path / "images"


def submit(runner: Runner, spec: JobSpec) -> str:
    return runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id


def do_all_work(runner: Runner) -> None:
    while runner.work():
        pass


def end_pause(runner: Runner) -> None:
    with runner.store.database.write() as session:
        session.execute(update(ShardRow).values(not_before=0.0))


def test_an_image_that_is_temporarily_unreadable_is_read_by_a_retry(
    runner: Runner, ingredients: AuditInputs, images: Path
) -> None:
    job = submit(runner, ingredients.spec(measures=["entropy"], images={"uri": images.as_uri()}))
    do_all_work(runner)
    assert runner.store.jobs.get(job).state is JobState.RUNNING
    (images / "bad.png").unlink()
    write_image(images / "bad.png", np.random.default_rng(9))
    end_pause(runner)
    do_all_work(runner)
    assert runner.store.jobs.get(job).state is JobState.SUCCEEDED
    assert runner.store.images.skipped(job) == []


def test_an_image_that_stays_unreadable_is_skipped_after_all_retries(
    runner: Runner, ingredients: AuditInputs, images: Path
) -> None:
    image_set = {"uri": images.as_uri(), "max_skipped": 0.5}
    job = submit(runner, ingredients.spec(measures=["entropy"], images=image_set))
    for _ in range(LIMITS[TROUBLES]):
        assert runner.store.jobs.get(job).state is not JobState.SUCCEEDED
        do_all_work(runner)
        end_pause(runner)
    assert runner.store.jobs.get(job).state is JobState.SUCCEEDED
    assert [(each.name, each.skipped) for each in runner.store.images.skipped(job)] == [
        ("bad.png", "Input/output error")
    ]


@pytest.mark.parametrize("kind", [ShardKind.MEASURE, ShardKind.LOOK, ShardKind.SUMMARISE])
def test_a_shard_whose_job_is_deleted_meanwhile_is_dropped_and_leaves_no_row(
    runner: Runner, ingredients: AuditInputs, caplog: pytest.LogCaptureFixture, kind: ShardKind
) -> None:
    def delete_then_work(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
        runner.store.jobs.delete(job.id)
        while not runner.store.retention.purge(1):
            pass
        KINDS[kind](runner, job, shard, lease)

    spec = ingredients.spec(measures=["entropy"], gate=GATE, stop="when-decided")
    job = submit(runner, spec)
    do_all_work(replace(runner, kinds={**KINDS, kind: delete_then_work}))
    with pytest.raises(JobNotFound):
        runner.store.jobs.get(job)
    with runner.store.database.read() as session:
        tables = Rows.metadata.tables.values()
        left = {each.name: session.scalar(select(func.count()).select_from(each)) for each in tables}
    assert not any(left.values()), left
    assert [each.getMessage() for each in caplog.records if each.levelno > logging.INFO] == []
