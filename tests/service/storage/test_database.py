import time

import psycopg
import pytest
from sqlalchemy import text

from service.errors import DatabaseUnavailable
from service.storage import Database
from service.storage.postgres import PING_AFTER_SECONDS

on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OWN = text("SELECT pg_backend_pid()")


def cut(database: Database) -> None:
    """End the database's side of the connection that rests in the pool."""
    row = database.fetch_one(OWN)
    assert row is not None
    with psycopg.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False)) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [row[0]])


@on_postgres
def test_a_connection_that_was_cut_while_it_rested_is_nobodys_trouble(database_url: str) -> None:
    database = Database(database_url)
    cut(database)
    time.sleep(PING_AFTER_SECONDS + 0.1)
    database.ping()
    database.close()


@on_postgres
def test_one_that_was_cut_a_moment_ago_is_a_database_away_once(database_url: str) -> None:
    database = Database(database_url)
    cut(database)
    with pytest.raises(DatabaseUnavailable):
        database.ping()
    database.ping()
    database.close()


@on_sqlite
def test_what_was_committed_outlives_a_power_cut(database_url: str) -> None:
    database, full = Database(database_url), 2
    setting = database.fetch_one(text("PRAGMA synchronous"))
    assert setting is not None
    assert setting[0] == full
    database.close()
