import subprocess
import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from service.storage import Database
from service.storage import migrate as schema
from service.storage.tables.jobs import Rows


def test_the_migrations_lead_from_nothing_to_the_tables(empty_database: str) -> None:
    database = Database(empty_database)
    schema.upgrade(database.engine)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Rows.metadata) == []
    database.close()


def test_a_database_is_current_once_it_is_upgraded(empty_database: str) -> None:
    database = Database(empty_database)
    assert not schema.is_current(database.engine)
    schema.upgrade(database.engine)
    assert schema.is_current(database.engine)
    schema.upgrade(database.engine)
    database.close()


def test_a_database_that_a_newer_version_has_migrated_serves_this_one_too(empty_database: str) -> None:
    database = Database(empty_database)
    schema.upgrade(database.engine)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'newer'"))
    assert schema.is_current(database.engine)
    database.close()


def test_of_two_that_migrate_at_once_both_end_well(empty_database: str) -> None:
    said = "from service.storage import Database, migrate; migrate.upgrade(Database({!r}).engine)"
    argv = [sys.executable, "-c", said.format(empty_database)]
    both = [subprocess.Popen(argv, stderr=subprocess.PIPE) for _ in range(2)]
    message = [each.communicate()[1].decode() for each in both]
    assert [each.returncode for each in both] == [0, 0], message
    database = Database(empty_database)
    assert schema.is_current(database.engine)
    database.close()
