from contextlib import closing

import pytest
from sqlalchemy import text

from service.errors import DatabaseUnavailable
from service.storage import Database
from service.storage.shards import bulk_insert
from service.storage.tables.jobs import ImageRow

CREATE_FUNCTION = "CREATE FUNCTION full_() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100'; END $$"
CREATE_TRIGGER = "CREATE TRIGGER full_ BEFORE INSERT ON images EXECUTE FUNCTION full_()"


def test_a_full_disk_during_copy_makes_the_database_unavailable(migrated_postgres: str) -> None:
    with (
        closing(Database(migrated_postgres)) as database,
        pytest.raises(DatabaseUnavailable),
        database.write() as session,  # the rollback removes the function and the trigger
    ):
        session.execute(text(CREATE_FUNCTION))
        session.execute(text(CREATE_TRIGGER))
        bulk_insert(session, ImageRow, ("job", "number", "name", "path"), [(1, 0, "0.png", "/0.png")])
