import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text, update

from service.domain.job import JobState
from service.spec.model import spec_digest
from service.storage import Store
from service.storage.clock import moment
from service.storage.tables.jobs import JobRow, ShardRow
from tests.support.jobs import AuditInputs

HOUR = 3600.0
AHEAD = (
    "CREATE SCHEMA IF NOT EXISTS ahead",
    "CREATE OR REPLACE FUNCTION ahead.statement_timestamp() RETURNS timestamptz STABLE LANGUAGE sql AS "
    "$$ SELECT pg_catalog.statement_timestamp() + interval '1 hour' $$",
)


@pytest.fixture
def ahead(database_url: str) -> Iterator[Store]:
    """A store on a Postgres whose clock is an hour before this process's."""
    first = Store.open(database_url)
    with first.database.write() as session:
        for statement in AHEAD:
            session.execute(text(statement))
    first.database.close()
    opened = Store.open(f"{database_url}?options=-csearch_path%3Dahead,pg_catalog,public")
    yield opened
    opened.database.close()


def accept(store: Store, ingredients: AuditInputs, **changes: float) -> str:
    spec = ingredients.spec(**changes)
    return store.jobs.accept(spec, spec_digest(spec), None)[0].id


def lease_for(store: Store, seconds: float) -> None:
    """Have a worker hold a shard for so long from now by the database's clock."""
    with store.database.write() as session:
        session.execute(update(ShardRow).values(lease_until=moment(session) + seconds))


def test_the_clock_tells_seconds_since_the_epoch(store: Store) -> None:
    with store.database.read() as session:
        assert moment(session) == pytest.approx(time.time(), abs=1)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_worker_whose_clock_is_an_hour_behind_holds_its_shard_for_its_lease(
    ahead: Store, ingredients: AuditInputs
) -> None:
    accept(ahead, ingredients)
    assert ahead.leases.claim("w", 30)
    assert 29 < (ahead.leases.next_expiry() or 0) <= 30
    with ahead.database.read() as session:
        until = session.scalar(text("SELECT lease_until FROM shards"))
    assert until == pytest.approx(time.time() + HOUR + 30, abs=5)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_whoever_sweeps_sees_by_the_databases_clock_what_has_run_out(ahead: Store, ingredients: AuditInputs) -> None:
    accept(ahead, ingredients)
    shard = ahead.leases.claim("w", 30)
    assert shard
    lease_for(ahead, 5)
    assert ahead.leases.release_expired() == 0
    assert ahead.leases.renew(shard, 30, 0)
    lease_for(ahead, -5)  # an hour to come by this process's clock
    assert ahead.leases.release_expired() == 1


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_deadline_that_a_machine_an_hour_behind_set_is_the_databases(ahead: Store, ingredients: AuditInputs) -> None:
    job = accept(ahead, ingredients, deadline=60)
    assert ahead.retention.fail_overdue() == 0
    with ahead.database.write() as session:
        session.execute(update(JobRow).values(deadline_at=JobRow.deadline_at - 61))
    assert ahead.retention.fail_overdue() == 1
    assert ahead.jobs.get(job).state is JobState.FAILED
