"""A job some of whose images are not accounted for fails, and says which."""

from collections.abc import Callable

import pytest
from sqlalchemy import ColumnElement, delete, select, update

from service.domain.job import JobState
from service.spec.model import spec_digest
from service.storage import Store
from service.storage.tables.jobs import ImageRow, JobRow, ShardRow, ValueRow
from tests.support.audits import failure
from tests.support.jobs import AuditInputs
from worker.runner import Runner


def plan(runner: Runner, ingredients: AuditInputs) -> str:
    """A job of twelve images in slices of one, for two cohorts, in the order of their numbers."""
    cohorts = [ingredients.cohort("a", 0), ingredients.cohort("b", 1, 2)]
    spec = ingredients.spec(cohorts=cohorts, measures=["entropy"], options={}, shard_size=1)
    job = runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id
    assert runner.work()
    return job


def measure(runner: Runner, job: str) -> None:
    """Do all of a job's work but the summary."""
    left = select(JobRow.slices_left).where(JobRow.id == job)
    while True:
        with runner.store.database.read() as session:
            if session.scalar(left) == 0:
                return
        assert runner.work()


def drop_slice(store: Store) -> None:
    """Have a slice of the second cohort measured by nobody, as where it was not stored."""
    with store.database.write() as session:
        session.execute(delete(ShardRow).where(ShardRow.cohort == 1, ShardRow.start == 4))
        session.execute(update(JobRow).values(slices_left=JobRow.slices_left - 1))


def drop(rows: type[ImageRow] | type[ValueRow], *chosen: ColumnElement[bool]) -> Callable[[Store], None]:
    """Have some rows lost once all is measured."""

    def lose(store: Store) -> None:
        with store.database.write() as session:
            session.execute(delete(rows).where(*chosen))

    return lose


def test_a_slice_that_was_never_stored_fails_the_job_by_name(runner: Runner, ingredients: AuditInputs) -> None:
    job = plan(runner, ingredients)
    drop_slice(runner.store)
    while runner.work():
        pass
    error = failure(runner.store.jobs.get(job))
    assert error["type"] == "images-missing"
    assert "1 of 12" in error["detail"] and "real/4.png" in error["detail"]


@pytest.mark.parametrize(
    ("lose", "told"),
    [
        (drop(ValueRow, ValueRow.image == 3, ValueRow.cohort == 0), "1 of 12"),
        (drop(ValueRow, ValueRow.image.in_([3, 5]), ValueRow.run == 1), "2 of 12"),
        (drop(ImageRow, ImageRow.number >= 3), "9 of 12"),
    ],
)
def test_rows_that_are_lost_before_the_summary_fail_the_job(
    runner: Runner, ingredients: AuditInputs, lose: Callable[[Store], None], told: str
) -> None:
    job = plan(runner, ingredients)
    measure(runner, job)
    lose(runner.store)
    while runner.work():
        pass
    error = failure(runner.store.jobs.get(job))
    assert error["type"] == "images-missing" and told in error["detail"]


def test_a_job_whose_images_are_all_accounted_for_succeeds(runner: Runner, ingredients: AuditInputs) -> None:
    job = plan(runner, ingredients)
    while runner.work():
        pass
    assert runner.store.jobs.get(job).state is JobState.SUCCEEDED
