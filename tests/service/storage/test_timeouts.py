"""Every operation on Postgres has a time limit, and long statements have a longer one."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy import make_url, text

from service.domain.job import ImageSet
from service.domain.work import Shard
from service.errors import DatabaseUnavailable
from service.settings.database import Timeouts
from service.spec.model import spec_digest
from service.storage import Database, Store, migrate
from service.storage.postgres import GRACE_SECONDS, PING_AFTER_SECONDS, allow_long_statements
from service.storage.shards import bulk_insert
from service.storage.tables.jobs import ImageRow
from tests.conftest import create_database
from tests.support.jobs import AuditInputs
from tests.support.tcp_proxy import Proxy, proxy

SHORT = Timeouts(connect=2, statement=0.5, long_statement=30, lock=20)
LONGER = 1.5  # in seconds, more than the time limit of a short statement
MAX_SECONDS = SHORT.connect + SHORT.statement + GRACE_SECONDS + 3

on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@contextmanager
def finishing_within(seconds: float = MAX_SECONDS) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


@contextmanager
def opened(url: str, timeouts: Timeouts = SHORT) -> Iterator[Database]:
    database = Database(url, timeouts)
    yield database
    database.close()


@pytest.fixture
def network(database_url: str) -> Iterator[Proxy]:
    """A TCP proxy to Postgres, which can stop forwarding to simulate a broken network."""
    port = make_url(database_url).port
    assert port is not None
    with proxy(port) as made:
        yield made


@pytest.fixture
def proxied(database_url: str, network: Proxy) -> Iterator[Database]:
    """The database, to which all connections go through the proxy of the fixture `network`."""
    url = make_url(database_url).set(port=network.port).render_as_string(hide_password=False)
    with opened(url) as database:
        yield database


@on_postgres
def test_a_server_that_hangs_during_a_transaction_makes_the_database_unavailable(
    proxied: Database, network: Proxy
) -> None:
    with finishing_within(), pytest.raises(DatabaseUnavailable), proxied.write() as session:
        session.execute(text("SELECT 1"))
        network.mute()
        session.execute(text("SELECT 1"))


@on_postgres
def test_a_server_that_accepts_no_connection_makes_the_database_unavailable(proxied: Database, network: Proxy) -> None:
    network.mute()
    with finishing_within(), pytest.raises(DatabaseUnavailable):
        proxied.ping()


@on_postgres
def test_an_idle_connection_that_hangs_is_replaced(proxied: Database, network: Proxy) -> None:
    proxied.ping()
    network.mute(new=False)
    time.sleep(PING_AFTER_SECONDS + 0.1)
    with finishing_within():
        proxied.ping()


@on_postgres
def test_a_server_that_hangs_during_a_long_statement_is_detected(proxied: Database, network: Proxy) -> None:
    brief = Timeouts(connect=2, statement=0.3, long_statement=0.6)
    url = proxied.url.render_as_string(hide_password=False)
    with (
        opened(url, brief) as database,
        finishing_within(),
        pytest.raises(DatabaseUnavailable),
        database.write() as session,
    ):
        allow_long_statements(session)
        network.mute()
        session.execute(text("SELECT 1"))


@on_postgres
def test_a_statement_that_takes_too_long_is_cancelled(database_url: str) -> None:
    with (
        opened(database_url) as database,
        finishing_within(),
        pytest.raises(DatabaseUnavailable),
        database.read() as session,
    ):
        session.execute(text("SELECT pg_sleep(60)"))


def test_a_writer_that_waits_too_long_for_a_lock_fails(database_url: str) -> None:
    with opened(database_url, Timeouts(lock=0.5)) as database, database.write() as session:
        session.execute(text("UPDATE jobs SET version = version"))
        if not database.is_sqlite:
            session.execute(text("LOCK TABLE jobs"))
        with finishing_within(), pytest.raises(DatabaseUnavailable), database.write() as other:
            other.execute(text("UPDATE jobs SET version = version"))


def test_migrations_have_no_time_limit(postgres_server: str) -> None:
    url = create_database(postgres_server)
    with opened(url, Timeouts(statement=0.1, lock=0.1)) as database, psycopg.connect(plain(url)) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('salience migrations'))")
        threading.Timer(LONGER, other.commit).start()
        migrate.upgrade(database.engine)
        assert migrate.is_current(database.engine)


def plain(url: str) -> str:
    return url.replace("+psycopg", "")


@contextmanager
def held(url: str, table: str) -> Iterator[None]:
    """Lock a table for LONGER seconds, so that statements on the table take as long."""
    with psycopg.connect(plain(url)) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        release = threading.Timer(LONGER, other.commit)
        release.start()
        try:
            yield
        finally:
            release.join()


def copy(store: Store) -> None:
    with store.database.write() as session:
        bulk_insert(session, ImageRow, ("job", "number", "name", "path"), [(1, 0, "0.png", "/0.png")])


def delete_and_purge(store: Store, shard: Shard) -> None:
    store.jobs.delete(shard.job)
    store.retention.purge(5)


ALL_IMAGES = ImageSet("images", 0, 1, [], [])
LONG: dict[str, tuple[str, Callable[[Store, Shard], object]]] = {
    "copy": ("images", lambda store, _shard: copy(store)),
    "delete images": ("images", lambda store, shard: store.shards.delete_images(shard)),
    "read": ("image_values", lambda store, shard: list(store.images.read_images(shard.job, ALL_IMAGES, 1))),
    "values": ("image_values", lambda store, shard: list(store.images.values(shard.job, ALL_IMAGES))),
    "cancel": ("shards", lambda store, shard: store.jobs.cancel(shard.job)),
    "purge": ("images", delete_and_purge),
}


@on_postgres
@pytest.mark.parametrize("name", LONG)
def test_statements_on_all_rows_of_a_job_have_the_longer_time_limit(
    database_url: str, ingredients: AuditInputs, name: str
) -> None:
    store, (table, act) = Store.open(database_url, timeouts=SHORT), LONG[name]
    spec = ingredients.spec()
    with closing(store.database):
        store.jobs.accept(spec, spec_digest(spec), None)
        shard = store.leases.claim("w", 30)
        assert shard is not None
        with held(database_url, table):
            act(store, shard)
        # The next transaction on the same connection has the short time limit again.
        with held(database_url, "jobs"), pytest.raises(DatabaseUnavailable):
            store.jobs.versions([shard.job])
