from contextlib import closing

import pytest
from sqlalchemy import text

from service.errors import DatabaseUnavailable
from service.storage import Database
from service.storage.bulk import bulk_insert
from service.storage.tables.jobs import ImageRow

FULL = "CREATE FUNCTION full_() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100'; END $$"
WHENEVER = "CREATE TRIGGER full_ BEFORE INSERT ON images EXECUTE FUNCTION full_()"


def test_a_disk_that_is_full_in_a_copy_is_a_database_that_is_away(migrated_postgres: str) -> None:
    with (
        closing(Database(migrated_postgres)) as database,
        pytest.raises(DatabaseUnavailable),
        database.write() as session,  # what it makes goes with it
    ):
        session.execute(text(FULL))
        session.execute(text(WHENEVER))
        bulk_insert(session, ImageRow, ("job", "number", "name", "path"), [(1, 0, "0.png", "/0.png")])
