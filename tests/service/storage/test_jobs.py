from concurrent.futures import ThreadPoolExecutor

import pytest

from service.domain.job import JobState
from service.errors import JobNotFound
from service.spec.model import spec_digest
from service.storage import JobQuery, Store
from tests.support.jobs import AuditInputs


def accept(store: Store, ingredients: AuditInputs, key: str | None = None, **changes: object) -> str:
    spec = ingredients.spec(**changes)
    return store.jobs.accept(spec, spec_digest(spec), key)[0].id


def test_an_accepted_job_is_queued_with_its_spec(store: Store, ingredients: AuditInputs) -> None:
    job = store.jobs.get(accept(store, ingredients, name="first"))
    assert job.state is JobState.QUEUED
    assert job.spec == ingredients.spec(name="first")
    assert store.leases.claimable_count() == 1


def test_simultaneous_requests_with_one_key_create_one_job(store: Store, ingredients: AuditInputs) -> None:
    with ThreadPoolExecutor(8) as pool:
        jobs = set(pool.map(lambda _: accept(store, ingredients, key="k"), range(16)))
    assert len(jobs) == 1
    assert store.leases.claimable_count() == 1


def test_jobs_are_listed_in_pages_newest_first(store: Store, ingredients: AuditInputs) -> None:
    jobs = [accept(store, ingredients) for _ in range(5)]
    first = store.jobs.find(JobQuery(limit=3))
    rest = store.jobs.find(JobQuery(limit=3, before=first.next))
    assert [job.id for job in [*first.jobs, *rest.jobs]] == jobs[::-1]
    assert rest.next is None


def test_all_filters_apply_together(store: Store, ingredients: AuditInputs) -> None:
    wanted = accept(store, ingredients, name="a", labels={"team": "x", "stage": "ci"})
    accept(store, ingredients, name="a", labels={"team": "x"})
    accept(store, ingredients, name="b", labels={"team": "x", "stage": "ci"})
    found = store.jobs.find(JobQuery(JobState.QUEUED, "a", [("team", "x"), ("stage", "ci")]))
    assert [job.id for job in found.jobs] == [wanted]
    assert store.jobs.find(JobQuery(JobState.FAILED)).jobs == []


def test_a_cancelled_job_has_no_shards_and_stays_cancelled(store: Store, ingredients: AuditInputs) -> None:
    job = accept(store, ingredients)
    assert store.jobs.cancel(job).state is JobState.CANCELLED
    assert store.jobs.cancel(job).version == store.jobs.get(job).version
    assert store.leases.claim("w", 30) is None


def test_a_visible_change_increments_the_version(store: Store, ingredients: AuditInputs) -> None:
    job = accept(store, ingredients)
    before = store.jobs.versions([job, "unknown"])
    store.leases.claim("w", 30)
    assert store.jobs.versions([job])[job] > before[job]


def test_an_unknown_job_is_not_found(store: Store) -> None:
    with pytest.raises(JobNotFound, match="no job nobody"):
        store.jobs.get("nobody")
