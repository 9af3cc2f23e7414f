"""Troubles of a shard: those that may pass are tried again after a pause, those that will not end the job at once."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, update

from service.domain.job import Job, JobState, Shard, ShardKind
from service.errors import JobNotFound
from service.spec.model import JobSpec, spec_digest
from service.storage.leases import LIMITS, TROUBLES
from service.storage.tables.jobs import Rows, ShardRow
from tests.support.jobs import AuditInputs, write_image
from worker.runner import KINDS, Runner
from worker.runtime.lease import Lease

GATE = {"rules": [{"measure": "entropy", "op": "<=", "value": 0.99}]}
UNREADABLE = Path("/proc/self/mem")  # reading its beginning is an input/output error


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three pictures, one of which lies on a bad disk."""
    for number in range(2):
        write_image(tmp_path / "pictures" / f"{number}.png", np.random.default_rng(number))
    (tmp_path / "pictures" / "bad.png").symlink_to(UNREADABLE)
    return tmp_path / "pictures"


def submit(runner: Runner, spec: JobSpec) -> str:
    return runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id


def work_off(runner: Runner) -> None:
    while runner.work():
        pass


def end_pause(runner: Runner) -> None:
    with runner.store.database.write() as session:
        session.execute(update(ShardRow).values(not_before=0.0))


def test_a_picture_that_cannot_be_read_now_is_read_later(
    runner: Runner, ingredients: AuditInputs, images: Path
) -> None:
    job = submit(runner, ingredients.spec(measures=["entropy"], images={"uri": images.as_uri()}))
    work_off(runner)
    assert runner.store.jobs.get(job).state is JobState.RUNNING
    (images / "bad.png").unlink()
    write_image(images / "bad.png", np.random.default_rng(9))
    end_pause(runner)
    work_off(runner)
    assert runner.store.jobs.get(job).state is JobState.SUCCEEDED
    assert runner.store.images.skipped(job) == []


def test_a_picture_that_can_never_be_read_is_skipped_in_the_end(
    runner: Runner, ingredients: AuditInputs, pictures: Path
) -> None:
    images = {"uri": pictures.as_uri(), "max_skipped": 0.5}
    job = submit(runner, ingredients.spec(measures=["entropy"], images=images))
    for _ in range(LIMITS[TROUBLES]):
        assert runner.store.jobs.get(job).state is not JobState.SUCCEEDED
        work_off(runner)
        end_pause(runner)
    assert runner.store.jobs.get(job).state is JobState.SUCCEEDED
    assert [(each.name, each.skipped) for each in runner.store.images.skipped(job)] == [
        ("bad.png", "Input/output error")
    ]


@pytest.mark.parametrize("kind", [ShardKind.MEASURE, ShardKind.LOOK, ShardKind.SUMMARISE])
def test_the_shard_of_a_job_that_is_forgotten_meanwhile_is_dropped_quietly_and_leaves_no_row(
    runner: Runner, ingredients: AuditInputs, caplog: pytest.LogCaptureFixture, kind: ShardKind
) -> None:
    def forgets(runner: Runner, job: Job, shard: Shard, lease: Lease) -> None:
        runner.store.jobs.delete(job.id)
        while not runner.store.retention.purge(1):
            pass
        KINDS[kind](runner, job, shard, lease)

    spec = ingredients.spec(measures=["entropy"], gate=GATE, stop="when-decided")
    job = submit(runner, spec)
    work_off(replace(runner, kinds={**KINDS, kind: forgets}))
    with pytest.raises(JobNotFound):
        runner.store.jobs.get(job)
    with runner.store.database.read() as session:
        tables = Rows.metadata.tables.values()
        left = {each.name: session.scalar(select(func.count()).select_from(each)) for each in tables}
    assert not any(left.values()), left
    assert [each.getMessage() for each in caplog.records if each.levelno > logging.INFO] == []
