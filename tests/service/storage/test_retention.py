import time

import pytest
from sqlalchemy import func, select

from service.domain.job import JobState
from service.errors import JobNotFound
from service.spec.model import spec_digest
from service.storage import Store
from service.storage.tables.jobs import ImageRow, JobRow, LabelRow, ShardRow, SummaryRow, ValueRow
from tests.support.jobs import AuditInputs
from worker.runner import Runner

DAY = 86400.0


def audit(runner: Runner, ingredients: AuditInputs, key: str) -> str:
    spec = ingredients.spec(measures=["entropy"], labels={"k": "v"})
    job = runner.store.jobs.accept(spec, spec_digest(spec), key)[0].id
    while runner.work():
        pass
    assert runner.store.jobs.get(job).state is JobState.SUCCEEDED
    return job


def count_rows(store: Store) -> list[int]:
    tables = (JobRow, LabelRow, ShardRow, ImageRow, ValueRow, SummaryRow)
    with store.database.read() as session:
        return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


def test_all_rows_of_a_deleted_job_are_deleted(store: Store, runner: Runner, ingredients: AuditInputs) -> None:
    job, other = (audit(runner, ingredients, key) for key in "ab")
    both = count_rows(store)
    store.jobs.delete(job)
    assert store.retention.purge(seconds=30)
    assert count_rows(store) == [count // 2 for count in both]
    assert store.jobs.get(other).state is JobState.SUCCEEDED
    with pytest.raises(JobNotFound):
        store.jobs.get(job)


def test_old_jobs_are_deleted_unless_they_are_open(store: Store, runner: Runner, ingredients: AuditInputs) -> None:
    old = audit(runner, ingredients, "a")
    time.sleep(0.01)
    spec = ingredients.spec()
    waiting = store.jobs.accept(spec, spec_digest(spec), "b")[0].id
    assert store.retention.expire(DAY, DAY) == 0
    assert store.retention.expire(0.005, DAY) == 1
    assert store.jobs.get(waiting).state is JobState.QUEUED
    with pytest.raises(JobNotFound):
        store.jobs.get(old)


def test_an_old_idempotency_key_can_be_used_again(store: Store, ingredients: AuditInputs) -> None:
    spec = ingredients.spec()
    first = store.jobs.accept(spec, spec_digest(spec), "key")[0].id
    time.sleep(0.01)
    store.retention.expire(DAY, DAY)
    assert store.jobs.find_by_key("key")
    store.retention.expire(DAY, 0.005)
    assert store.jobs.find_by_key("key") is None
    assert store.jobs.accept(spec, spec_digest(spec), "key")[0].id != first
