"""Whatever is asked of a tenant's store, in whichever words, other tenants' rows are not there."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import aliased

from service.errors import InspectionNotFound, JobNotFound, TooManyJobs
from service.inspection import Inspect
from service.keys import Scope
from service.spec import digest_of
from service.storage import Query, Store
from service.tables import InspectionRow, JobRow, LabelRow, ShardRow
from tests.audits import Ingredients

ASKED = Inspect.model_validate({"images": {"uri": "file:///pictures"}})


def accept(store: Store, ingredients: Ingredients, key: str | None = None, most: int | None = None) -> str:
    spec = ingredients.spec(labels={"team": "a"})
    return store.jobs.accept(spec, digest_of(spec), key, most)[0].id


@pytest.fixture
def job(store: Store, ingredients: Ingredients) -> str:
    """A job of the tenant `a`."""
    return accept(store.of("a"), ingredients)


@pytest.mark.parametrize("other", ["b", ""])
def test_a_job_is_not_there_for_another_tenant(store: Store, job: str, other: str) -> None:
    theirs = store.of(other)
    assert store.of("a").jobs.get(job).tenant == "a"
    assert theirs.jobs.find(Query()).jobs == []
    assert theirs.jobs.find(Query(labels=[("team", "a")])).jobs == []
    assert theirs.jobs.versions([job]) == {}
    assert theirs.jobs.summary(job) is None
    assert theirs.images.skipped(job) == []
    for ask in (theirs.jobs.get, theirs.jobs.cancel, theirs.jobs.forget, lambda each: theirs.images.slice(each, 0, 1)):
        with pytest.raises(JobNotFound):
            ask(job)
    assert store.jobs.get(job).id == job, "the service's own processes see all"


def test_no_statement_reaches_over_the_wall(store: Store, job: str) -> None:
    theirs, other = store.of("b").database, aliased(JobRow)
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


def test_what_a_tenant_adds_is_its_own_whatever_it_says(store: Store) -> None:
    with store.of("b").database.write() as session:
        session.add(InspectionRow(id="1", asked={}, created_at=0.0, tenant="a"))
    with store.database.read() as session:
        assert session.scalar(select(InspectionRow.tenant)) == "b"


def test_inspections_and_keys_are_a_tenants_too(store: Store) -> None:
    asked = store.of("a").inspections.ask(ASKED)
    assert store.of("a").inspections.get(asked).id == asked
    with pytest.raises(InspectionNotFound):
        store.of("b").inspections.get(asked)
    claimed = store.inspections.claim()
    assert claimed is not None and claimed.id == asked
    store.keys.create("ci", "a", Scope.READ)
    assert (len(store.of("a").keys.list()), len(store.of("b").keys.list())) == (1, 0)


def test_an_idempotency_key_is_each_tenants_own(store: Store, ingredients: Ingredients) -> None:
    jobs = {tenant: accept(store.of(tenant), ingredients, "k") for tenant in ("", "a", "b")}
    assert len(set(jobs.values())) == 3
    assert {tenant: accept(store.of(tenant), ingredients, "k") for tenant in jobs} == jobs
    assert [store.of(tenant).jobs.of_key("k") is None for tenant in ("a", "c")] == [False, True]


def test_an_artifact_is_there_for_those_who_uploaded_it(store: Store) -> None:
    digest, older = "0" * 64, "1" * 64
    assert [store.of("a").owners.add(digest) for _ in range(2)] == [True, False]
    assert {tenant: store.of(tenant).owners.has(digest) for tenant in ("", "a", "b")} == {
        "": False,
        "a": True,
        "b": False,
    }
    assert store.of("b").owners.add(digest), "it is new to b, who is not told that it was there"
    assert [store.of(tenant).owners.has(older) for tenant in ("", "a")] == [True, False], "it came before tenants"


def test_a_tenant_has_so_many_open_jobs_and_others_do_not_count(store: Store, ingredients: Ingredients) -> None:
    first = accept(store.of("a"), ingredients, "k", most=1)
    with pytest.raises(TooManyJobs, match="SALIENCE_OPEN_JOBS"):
        accept(store.of("a"), ingredients, most=1)
    assert accept(store.of("a"), ingredients, "k", most=1) == first, "it is the same job"
    accept(store.of("b"), ingredients, most=1)
    store.jobs.cancel(first)
    accept(store.of("a"), ingredients, most=1)


def test_requests_of_one_moment_do_not_pass_the_limit_together(store: Store, ingredients: Ingredients) -> None:
    def try_one(_: int) -> bool:
        try:
            accept(store.of("a"), ingredients, most=2)
        except TooManyJobs:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(try_one, range(6))) == 2
