"""Plans a job while the database fails: after some retries, the plan is stored completely."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, select, update

from service.domain.job import JobState
from service.domain.work import ShardKind
from service.spec.model import JobSpec, spec_digest
from service.storage import Store
from service.storage.shards import PAGE_SIZE
from service.storage.tables.jobs import ImageRow, JobRow, ShardRow
from tests.support.interruptions import Countdown, after_statement, at_commit, commit_and_fail, end_backend, fail
from tests.support.jobs import AuditInputs
from worker.runner import Runner

IMAGES = PAGE_SIZE + 1  # each image has its own slice; so many slices are stored by more than one statement
TRIES = 20
Moment = Callable[[Engine, int, Callable[[Connection], None]], AbstractContextManager[Countdown]]

on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def spec(ingredients: AuditInputs, tmp_path: Path) -> JobSpec:
    manifest = tmp_path / "images.csv"
    manifest.write_text("image\n" + "".join(f"{number:04}.png\n" for number in range(IMAGES)))
    cohorts = [ingredients.cohort("one", 0)]
    return ingredients.spec(
        cohorts=cohorts, measures=["entropy"], images={"uri": manifest.as_uri()}, shard_size=1, options={}
    )


def submit(store: Store, spec: JobSpec) -> str:
    return store.jobs.accept(spec, spec_digest(spec), None)[0].id


def finish_plan(runner: Runner, job: str) -> None:
    """Retry the plan of a job without pauses until it is stored."""
    store = runner.store
    for _ in range(TRIES):
        if store.jobs.get(job).plan is not None:
            return
        store.leases.give_back([runner.name])
        with store.database.write() as session:
            session.execute(update(ShardRow).values(not_before=0))
        runner.work()
    raise AssertionError("the job was not planned")


def stored(store: Store, job: str) -> tuple[list[int], list[tuple[int, int]], int | None]:
    """Return a job's image numbers, the start and stop of its slices, and the number of slices left to audit."""
    with store.database.read() as session:
        row = session.scalars(select(JobRow).where(JobRow.id == job)).one()
        images = select(ImageRow.number).where(ImageRow.job == row.number).order_by(ImageRow.number)
        slices = select(ShardRow.start, ShardRow.stop).where(
            ShardRow.job == row.number, ShardRow.kind == ShardKind.MEASURE
        )
        found = [(start, stop) for start, stop in session.execute(slices.order_by(ShardRow.start))]
        return list(session.scalars(images)), found, row.slices_left


def interrupt_everywhere(runner: Runner, spec: JobSpec, moment: Moment, act: Callable[[Connection], None]) -> int:
    """Plan a job again and again, and interrupt each plan at a later moment. Returns the number of moments."""
    store, number = runner.store, 0
    while True:
        job, number = submit(store, spec), number + 1
        with moment(store.database.engine, number, act) as countdown:
            runner.work()
        finish_plan(runner, job)
        assert stored(store, job) == (
            list(range(IMAGES)), [(image, image + 1) for image in range(IMAGES)], IMAGES
        ), f"interrupted at {number}"  # fmt: skip
        store.jobs.cancel(job)
        if not countdown.is_over:
            return number - 1


@on_postgres
def test_a_plan_is_complete_after_postgres_ends_the_connection_at_any_statement(runner: Runner, spec: JobSpec) -> None:
    assert interrupt_everywhere(runner, spec, after_statement, end_backend) > 10


@on_sqlite
def test_a_plan_is_complete_after_the_disk_fails_at_any_statement(runner: Runner, spec: JobSpec) -> None:
    assert interrupt_everywhere(runner, spec, after_statement, fail) > 10


def test_a_plan_is_complete_after_the_answer_of_any_commit_is_lost(runner: Runner, spec: JobSpec) -> None:
    assert interrupt_everywhere(runner, spec, at_commit, commit_and_fail) > 3


@on_postgres
def test_a_job_audits_every_image_after_the_connection_ends_while_slices_are_stored(
    runner: Runner, ingredients: AuditInputs
) -> None:
    spec = ingredients.spec(measures=["entropy"], options={}, shard_size=1)
    job = submit(runner.store, spec)
    with after_statement(runner.store.database.engine, 1, end_backend, containing="INSERT INTO shards") as countdown:
        runner.work()
    assert countdown.is_over
    finish_plan(runner, job)
    while runner.work():
        pass
    ended = runner.store.jobs.get(job)
    assert (ended.state, ended.images_done) == (JobState.SUCCEEDED, 12)
