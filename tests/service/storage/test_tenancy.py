"""The store of a tenant never reads or changes rows of other tenants."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import aliased

from service.domain.api_key import Scope
from service.domain.inspection import Inspect
from service.errors import InspectionNotFound, JobNotFound, TooManyJobs
from service.spec.model import spec_digest
from service.storage import JobQuery, Store
from service.storage.tables.jobs import InspectionRow, JobRow, LabelRow, ShardRow
from tests.support.jobs import AuditInputs

INSPECT = Inspect.model_validate({"images": {"uri": "file:///images"}})


def accept(store: Store, ingredients: AuditInputs, key: str | None = None, max_open: int | None = None) -> str:
    spec = ingredients.spec(labels={"team": "a"})
    return store.jobs.accept(spec, spec_digest(spec), key, max_open)[0].id


@pytest.fixture
def job(store: Store, ingredients: AuditInputs) -> str:
    """The ID of a job of the tenant `a`."""
    return accept(store.for_tenant("a"), ingredients)


@pytest.mark.parametrize("other", ["b", ""])
def test_a_job_is_invisible_to_another_tenant(store: Store, job: str, other: str) -> None:
    theirs = store.for_tenant(other)
    assert store.for_tenant("a").jobs.get(job).tenant == "a"
    assert theirs.jobs.find(JobQuery()).jobs == []
    assert theirs.jobs.find(JobQuery(labels=[("team", "a")])).jobs == []
    assert theirs.jobs.versions([job]) == {}
    assert theirs.jobs.summary(job) is None
    assert theirs.images.skipped(job) == []
    for call in (theirs.jobs.get, theirs.jobs.cancel, theirs.jobs.delete, lambda each: theirs.images.slice(each, 0, 1)):
        with pytest.raises(JobNotFound):
            call(job)
    assert store.jobs.get(job).id == job, "a store without a tenant sees all jobs"


def test_no_sql_statement_reads_or_changes_rows_of_another_tenant(store: Store, job: str) -> None:
    theirs, other = store.for_tenant("b").database, aliased(JobRow)
    with theirs.write() as session:
        assert session.scalar(select(func.count()).select_from(JobRow)) == 0
        assert session.scalars(select(other.id)).all() == []
        assert session.scalars(select(ShardRow.id).join(JobRow)).all() == []
        inner = select(LabelRow.job).where(LabelRow.job.in_(select(JobRow.number)))
        assert session.scalars(inner).all() == []
        assert session.get(JobRow, 1) is None
        session.execute(update(JobRow).values(name="mine"))
        session.execute(delete(JobRow))
    assert store.jobs.get(job).spec.name is None
    with store.database.read() as session:
        assert session.scalar(select(JobRow.name)) is None


def test_a_new_row_belongs_to_the_tenant_that_adds_it_even_if_it_names_another_tenant(store: Store) -> None:
    with store.for_tenant("b").database.write() as session:
        session.add(InspectionRow(id="1", asked={}, created_at=0.0, tenant="a"))
    with store.database.read() as session:
        assert session.scalar(select(InspectionRow.tenant)) == "b"


def test_inspections_and_keys_belong_to_a_tenant(store: Store) -> None:
    request = store.for_tenant("a").inspections.create(INSPECT)
    assert store.for_tenant("a").inspections.get(request).id == request
    with pytest.raises(InspectionNotFound):
        store.for_tenant("b").inspections.get(request)
    claimed = store.inspections.claim()
    assert claimed is not None and claimed.id == request
    store.keys.create("ci", "a", Scope.READ)
    assert (len(store.for_tenant("a").keys.list()), len(store.for_tenant("b").keys.list())) == (1, 0)


def test_tenants_can_use_the_same_idempotency_key(store: Store, ingredients: AuditInputs) -> None:
    jobs = {tenant: accept(store.for_tenant(tenant), ingredients, "k") for tenant in ("", "a", "b")}
    assert len(set(jobs.values())) == 3
    assert {tenant: accept(store.for_tenant(tenant), ingredients, "k") for tenant in jobs} == jobs
    assert [store.for_tenant(tenant).jobs.find_by_key("k") is None for tenant in ("a", "c")] == [False, True]


def test_an_artifact_is_visible_to_the_tenants_that_uploaded_it(store: Store) -> None:
    digest, older = "0" * 64, "1" * 64
    assert [store.for_tenant("a").artifact_owners.add(digest) for _ in range(2)] == [True, False]
    assert {tenant: store.for_tenant(tenant).artifact_owners.has(digest) for tenant in ("", "a", "b")} == {
        "": False,
        "a": True,
        "b": False,
    }
    assert store.for_tenant("b").artifact_owners.add(digest), "tenant b must not learn that the artifact existed"
    assert [store.for_tenant(tenant).artifact_owners.has(older) for tenant in ("", "a")] == [True, False], (
        "the default tenant owns artifacts without a stored owner"
    )


def test_each_tenant_has_its_own_limit_of_open_jobs(store: Store, ingredients: AuditInputs) -> None:
    first = accept(store.for_tenant("a"), ingredients, "k", max_open=1)
    with pytest.raises(TooManyJobs, match="SALIENCE_MAX_OPEN_JOBS"):
        accept(store.for_tenant("a"), ingredients, max_open=1)
    assert accept(store.for_tenant("a"), ingredients, "k", max_open=1) == first, "the key refers to the same job"
    accept(store.for_tenant("b"), ingredients, max_open=1)
    store.jobs.cancel(first)
    accept(store.for_tenant("a"), ingredients, max_open=1)


def test_simultaneous_requests_do_not_exceed_the_limit_of_open_jobs(store: Store, ingredients: AuditInputs) -> None:
    def try_one(_: int) -> bool:
        try:
            accept(store.for_tenant("a"), ingredients, max_open=2)
        except TooManyJobs:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(try_one, range(6))) == 2
