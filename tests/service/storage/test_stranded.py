"""Tests that the sweeper fails open jobs that have no open shards, and no other jobs."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, delete, select, update

from service.domain.job import Image, JobState
from service.domain.work import Plan, ShardResult, ShardState, Slice
from service.queue.notifier import WorkNotifier
from service.queue.sweeper import Sweeper
from service.settings import ServiceSettings
from service.spec.model import spec_digest
from service.storage import Store
from service.storage.tables.jobs import JobRow, ShardRow
from tests.support.interruptions import after_statement
from tests.support.jobs import AuditInputs


@pytest.fixture
def notifier(redis_url: str) -> Iterator[WorkNotifier]:
    opened = WorkNotifier(redis_url.removesuffix("/0") + "/2")
    yield opened
    opened.close()


def accept(store: Store, ingredients: AuditInputs) -> str:
    spec = ingredients.spec()
    return store.jobs.accept(spec, spec_digest(spec), None)[0].id


def strand(store: Store, job: str) -> None:
    """Mark all shards of a job as done, so that no worker can continue the job."""
    number = select(JobRow.number).where(JobRow.id == job).scalar_subquery()
    with store.database.write() as session:
        session.execute(update(ShardRow).where(ShardRow.job == number).values(state=ShardState.DONE))


def test_an_open_job_without_shards_fails_with_a_reason(
    store: Store, ingredients: AuditInputs, notifier: WorkNotifier
) -> None:
    job, other = accept(store, ingredients), accept(store, ingredients)
    strand(store, job)
    Sweeper(store, notifier, ServiceSettings()).step()
    ended = store.jobs.get(job)
    assert (ended.state, (ended.error or {})["type"]) == (JobState.FAILED, "work-missing")
    assert store.jobs.get(other).state is JobState.QUEUED


def test_a_job_in_progress_does_not_fail_at_any_step(store: Store, ingredients: AuditInputs) -> None:
    job, fail = accept(store, ingredients), store.retention.fail_without_work
    assert fail() == 0
    planner = store.leases.claim("w", 30)
    assert planner is not None and fail() == 0
    store.shards.record_images(planner, [Image(0, "0.png", None, "")])
    store.shards.record_plan(planner, Plan(1, [Slice(0, 0, 1)], 1, {}))
    assert fail() == 0
    measurer = store.leases.claim("w", 30)
    assert measurer is not None and fail() == 0
    store.shards.record_values(measurer, ShardResult([], [], 1, "cpu"))
    assert fail() == 0
    summary = store.leases.claim("w", 30)
    assert summary is not None and fail() == 0
    store.shards.record_summary(summary, "{}")
    assert fail() == 0
    assert store.jobs.get(job).state is JobState.SUCCEEDED


def test_jobs_that_are_accepted_while_the_sweeper_runs_stay_open(store: Store, ingredients: AuditInputs) -> None:
    accepted: list[str] = []
    submitting = threading.Thread(target=lambda: accepted.extend(accept(store, ingredients) for _ in range(50)))
    submitting.start()
    while submitting.is_alive():
        assert store.retention.fail_without_work() == 0
    submitting.join()
    assert {store.jobs.get(job).state for job in accepted} == {JobState.QUEUED}


def test_a_job_that_gets_a_shard_before_the_sweeper_locks_it_stays_open(store: Store, ingredients: AuditInputs) -> None:
    job = accept(store, ingredients)
    strand(store, job)
    other = Store.open(store.database.url.render_as_string(hide_password=False))

    def give_work(_: Connection) -> None:
        with other.database.write() as session:
            session.execute(update(ShardRow).values(state=ShardState.WAITING))

    with after_statement(store.database.engine, 1, give_work) as countdown:
        assert store.retention.fail_without_work() == 0
    assert countdown.is_over
    assert store.jobs.get(job).state is JobState.QUEUED
    other.database.close()


def test_a_job_without_rows_in_the_table_of_shards_fails(store: Store, ingredients: AuditInputs) -> None:
    job = accept(store, ingredients)
    with store.database.write() as session:
        session.execute(delete(ShardRow))
    assert store.retention.fail_without_work() == 1
    assert store.jobs.get(job).state is JobState.FAILED
