"""Tests with a database that does not answer or is read-only: the API refuses requests, and the worker retries."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import torch
from sqlalchemy import Connection, make_url, text

from service.domain.api_key import Scope
from service.domain.job import JobState
from service.errors import DatabaseReadOnly
from service.main import create_app
from service.settings import ServiceSettings
from service.spec.model import spec_digest
from service.storage import Database, Store
from tests.conftest import create_database, migrate
from tests.support.interruptions import after_statement
from tests.support.jobs import AuditInputs
from tests.support.servers import serving
from tests.support.tcp_proxy import proxy
from worker.context import WorkerContext
from worker.inputs.resolver import InputResolver
from worker.runner import Runner

THREADS = 40  # the size of the thread pool in which FastAPI runs routes
SOON = 2.0
READ_ONLY_SECONDS = 1.0

on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@pytest.fixture
def own_database(postgres_server: str) -> str:
    """The URL of a Postgres database that no other test uses."""
    url = create_database(postgres_server)
    migrate(url)
    return url


def set_read_only(url: str, value: str) -> None:
    """Make new sessions of a database read-only (`on`) or writable (`off`). `on` ends all existing sessions."""
    name = make_url(url).database
    server = make_url(url).set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}".encode())
        if value == "on":
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


@contextmanager
def service(url: str, redis_url: str, folder: Path, **limits: Any) -> Iterator[httpx.Client]:
    settings = ServiceSettings(
        data_dir=folder, database_url=url, broker_url=redis_url, allowed_roots=(Path("/"),), **limits
    )
    with serving(create_app(settings)) as api, httpx.Client(base_url=api, timeout=30) as client:
        yield client


@on_postgres
def test_health_checks_succeed_while_every_thread_waits_for_the_database(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    port = make_url(database_url).port
    assert port is not None
    limits = {"database_statement_timeout_seconds": 3, "database_connect_timeout_seconds": 2}
    with proxy(port) as network, ThreadPoolExecutor(2 * THREADS) as pool:
        url = make_url(database_url).set(port=network.port).render_as_string(hide_password=False)
        with service(url, redis_url, tmp_path, **limits) as client:
            assert client.get("/v1/jobs").status_code == 200
            network.mute()
            responses = [pool.submit(client.get, "/v1/jobs", timeout=60) for _ in range(2 * THREADS)]
            for _ in range(5):
                assert client.get("/healthz", timeout=SOON).status_code == 200
            assert not any(each.done() for each in responses)
            assert {each.result().status_code for each in responses} == {503}


def test_a_read_only_database_refuses_only_changes_until_it_is_writable(
    own_database: str, redis_url: str, ingredients: AuditInputs, tmp_path: Path
) -> None:
    with service(own_database, redis_url, tmp_path) as client:
        job = client.post("/v1/jobs", json=ingredients.body()).json()["links"]["self"]
        set_read_only(own_database, "on")
        # The first of two requests may fail, because it may use a pooled connection that Postgres has ended.
        found = [client.get("/readyz") for _ in range(2)][-1]
        assert found.status_code == 503 and "read-only" in found.json()["checks"]["database"]
        for response in (client.post("/v1/jobs", json=ingredients.body()), client.delete(job)):
            assert (response.status_code, response.json()["type"]) == (503, "urn:salience:problem:database-read-only")
            assert "read-only" in response.json()["detail"] and int(response.headers["Retry-After"]) > 0
        assert client.get(job).status_code == 200
        set_read_only(own_database, "off")
        # The first of two requests may fail, because it may use a pooled connection that is still read-only.
        assert [client.get("/readyz").status_code for _ in range(2)][-1] == 200
        assert client.post("/v1/jobs", json=ingredients.body()).status_code == 202


def test_requests_with_a_key_can_read_from_a_read_only_database(
    own_database: str, redis_url: str, tmp_path: Path
) -> None:
    store = Store.open(own_database)
    _, secret = store.keys.create("reader", "", Scope.READ)
    store.database.close()
    set_read_only(own_database, "on")
    with service(own_database, redis_url, tmp_path) as client:
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_a_worker_retries_changes_until_the_database_is_writable(
    own_database: str, places: InputResolver, ingredients: AuditInputs, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store.open(own_database)
    worker = Runner(
        store, WorkerContext.create(torch.device("cpu"), places, 4), "tests", lease_seconds=30, notify=lambda _: None
    )
    spec = ingredients.spec(measures=["entropy"], options={})
    job = store.jobs.accept(spec, spec_digest(spec), None)[0].id
    assert worker.work()
    make_writable = threading.Timer(READ_ONLY_SECONDS, set_read_only, (own_database, "off"))

    def stop_writing(_: Connection) -> None:
        set_read_only(own_database, "on")
        make_writable.start()

    # The first UPDATE of `shards` claims a shard, and the second one records its values.
    with after_statement(store.database.engine, 2, stop_writing, containing="UPDATE shards SET state") as countdown:
        assert worker.work()
    make_writable.join()
    assert countdown.is_over and "is read-only" in caplog.text
    while worker.work():
        pass
    ended = store.jobs.get(job)
    store.database.close()
    assert ended.state is JobState.SUCCEEDED, ended.error


def test_a_read_only_sqlite_file_raises_database_read_only(migrated_sqlite: Path) -> None:
    database = Database(f"sqlite:///file:{migrated_sqlite}?mode=ro&uri=true")
    with pytest.raises(DatabaseReadOnly), database.write() as session:
        session.execute(text("UPDATE jobs SET version = version"))
    database.close()
