"""A job fails if some images were neither measured nor skipped, and its error names them."""

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
    """Plan a job of two cohorts and twelve images, in slices of one image. Returns its ID."""
    cohorts = [ingredients.cohort("a", 0), ingredients.cohort("b", 1, 2)]
    spec = ingredients.spec(cohorts=cohorts, measures=["entropy"], options={}, shard_size=1)
    job = runner.store.jobs.accept(spec, spec_digest(spec), None)[0].id
    assert runner.work()
    return job


def measure(runner: Runner, job: str) -> None:
    """Run all shards of a job except the summary."""
    left = select(JobRow.slices_left).where(JobRow.id == job)
    while True:
        with runner.store.database.read() as session:
            if session.scalar(left) == 0:
                return
        assert runner.work()


def drop_slice(store: Store) -> None:
    """Delete a slice of the second cohort, as if it had never been stored."""
    with store.database.write() as session:
        session.execute(delete(ShardRow).where(ShardRow.cohort == 1, ShardRow.start == 4))
        session.execute(update(JobRow).values(slices_left=JobRow.slices_left - 1))


def drop(rows: type[ImageRow] | type[ValueRow], *chosen: ColumnElement[bool]) -> Callable[[Store], None]:
    """Return a function that deletes the `chosen` rows of a table."""

    def lose(store: Store) -> None:
        with store.database.write() as session:
            session.execute(delete(rows).where(*chosen))

    return lose


def test_a_job_fails_with_the_name_of_an_image_whose_slice_was_never_stored(
    runner: Runner, ingredients: AuditInputs
) -> None:
    job = plan(runner, ingredients)
    drop_slice(runner.store)
    (image,) = runner.store.images.slice(job, 4, 5)
    while runner.work():
        pass
    error = failure(runner.store.jobs.get(job))
    assert error["type"] == "images-missing"
    assert "1 of 12" in error["detail"] and image.name in error["detail"]


@pytest.mark.parametrize(
    ("lose", "expected"),
    [
        (drop(ValueRow, ValueRow.image == 3, ValueRow.cohort == 0), "1 of 12"),
        (drop(ValueRow, ValueRow.image.in_([3, 5]), ValueRow.run == 1), "2 of 12"),
        (drop(ImageRow, ImageRow.number >= 3), "9 of 12"),
    ],
)
def test_a_job_fails_if_rows_are_deleted_before_the_summary(
    runner: Runner, ingredients: AuditInputs, lose: Callable[[Store], None], expected: str
) -> None:
    job = plan(runner, ingredients)
    measure(runner, job)
    lose(runner.store)
    while runner.work():
        pass
    error = failure(runner.store.jobs.get(job))
    assert error["type"] == "images-missing" and expected in error["detail"]


def test_a_job_succeeds_if_all_images_are_measured(runner: Runner, ingredients: AuditInputs) -> None:
    job = plan(runner, ingredients)
    while runner.work():
        pass
    assert runner.store.jobs.get(job).state is JobState.SUCCEEDED
