"""Troubles of a shard: those that may pass are tried again after a pause, those that will not end the job at once."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from service.domain import JobState
from service.spec import JobSpec, digest_of
from service.storage.leases import LIMITS, TROUBLES
from service.tables import ShardRow
from tests.audits import Ingredients, write_picture
from worker.runner import Runner

UNREADABLE = Path("/proc/self/mem")  # reading its beginning is an input/output error


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures, one of which lies on a bad disk."""
    for number in range(2):
        write_picture(tmp_path / "pictures" / f"{number}.png", np.random.default_rng(number))
    (tmp_path / "pictures" / "bad.png").symlink_to(UNREADABLE)
    return tmp_path / "pictures"


def submit(runner: Runner, spec: JobSpec) -> str:
    return runner.store.jobs.accept(spec, digest_of(spec), None)[0].id


def work_off(runner: Runner) -> None:
    while runner.work():
        pass


def end_pause(runner: Runner) -> None:
    with runner.store.database.write() as session:
        session.execute(update(ShardRow).values(not_before=0.0))


def test_a_picture_that_cannot_be_read_now_is_read_later(
    runner: Runner, ingredients: Ingredients, pictures: Path
) -> None:
    job = submit(runner, ingredients.spec(measures=["entropy"], images={"uri": pictures.as_uri()}))
    work_off(runner)
    assert runner.store.jobs.get(job).state is JobState.RUNNING
    (pictures / "bad.png").unlink()
    write_picture(pictures / "bad.png", np.random.default_rng(9))
    end_pause(runner)
    work_off(runner)
    assert runner.store.jobs.get(job).state is JobState.SUCCEEDED
    assert runner.store.images.skipped(job) == []


def test_a_picture_that_can_never_be_read_is_skipped_in_the_end(
    runner: Runner, ingredients: Ingredients, pictures: Path
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
