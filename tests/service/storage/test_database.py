import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from service.errors import DatabaseUnavailable
from service.storage import Database
from service.storage.postgres import PING_AFTER_SECONDS

on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BACKEND_PID = text("SELECT pg_backend_pid()")


def terminate(database: Database) -> None:
    """Let the server terminate the idle connection in the pool."""
    row = database.fetch_one(BACKEND_PID)
    assert row is not None
    with psycopg.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False)) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [row[0]])


@on_postgres
def test_a_terminated_idle_connection_is_replaced(database_url: str) -> None:
    database = Database(database_url)
    terminate(database)
    time.sleep(PING_AFTER_SECONDS + 0.1)
    database.ping()
    database.close()


@on_postgres
def test_a_connection_that_was_terminated_a_moment_ago_fails_once(database_url: str) -> None:
    database = Database(database_url)
    terminate(database)
    with pytest.raises(DatabaseUnavailable):
        database.ping()
    database.ping()
    database.close()


@on_sqlite
def test_sqlite_syncs_every_commit_to_disk(database_url: str) -> None:
    database, full = Database(database_url), 2
    setting = database.fetch_one(text("PRAGMA synchronous"))
    assert setting is not None
    assert setting[0] == full
    database.close()


def test_the_folder_of_a_sqlite_database_is_created_for_a_path_but_not_for_a_uri(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///new/plain.sqlite", f"sqlite:///file:{tmp_path}/new/plain.sqlite?mode=ro&uri=true"):
        database = Database(url)
        database.ping()
        database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
