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
    """A store on a Postgres database whose clock is one hour ahead of this machine."""
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


def set_leases(store: Store, seconds: float) -> None:
    """Let all leases expire `seconds` from now by the clock of the database."""
    with store.database.write() as session:
        session.execute(update(ShardRow).values(lease_until=moment(session) + seconds))


def test_the_clock_of_the_database_returns_seconds_since_the_epoch(store: Store) -> None:
    with store.database.read() as session:
        assert moment(session) == pytest.approx(time.time(), abs=1)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_worker_whose_clock_is_an_hour_behind_gets_the_full_lease(ahead: Store, ingredients: AuditInputs) -> None:
    accept(ahead, ingredients)
    assert ahead.leases.claim("w", 30)
    assert 29 < (ahead.leases.next_expiry() or 0) <= 30
    with ahead.database.read() as session:
        until = session.scalar(text("SELECT lease_until FROM shards"))
    assert until == pytest.approx(time.time() + HOUR + 30, abs=5)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_leases_expire_by_the_clock_of_the_database(ahead: Store, ingredients: AuditInputs) -> None:
    accept(ahead, ingredients)
    shard = ahead.leases.claim("w", 30)
    assert shard
    set_leases(ahead, 5)
    assert ahead.leases.release_expired() == 0
    assert ahead.leases.renew(shard, 30, 0)
    set_leases(ahead, -5)  # by the clock of this machine, the leases would expire in almost an hour
    assert ahead.leases.release_expired() == 1


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_deadline_refers_to_the_clock_of_the_database(ahead: Store, ingredients: AuditInputs) -> None:
    job = accept(ahead, ingredients, deadline=60)
    assert ahead.retention.fail_overdue() == 0
    with ahead.database.write() as session:
        session.execute(update(JobRow).values(deadline_at=JobRow.deadline_at - 61))
    assert ahead.retention.fail_overdue() == 1
    assert ahead.jobs.get(job).state is JobState.FAILED
