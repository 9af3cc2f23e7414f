from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from service.storage import Database, migrate
from service.storage.tables.base import Rows
from tests.support.processes import Installation


def test_the_migrations_create_exactly_the_tables_of_the_models(empty_database: str) -> None:
    database = Database(empty_database)
    migrate.upgrade(database.engine)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Rows.metadata) == []
    database.close()


def test_a_database_is_current_after_the_migrations(empty_database: str) -> None:
    database = Database(empty_database)
    assert not migrate.is_current(database.engine)
    migrate.upgrade(database.engine)
    assert migrate.is_current(database.engine)
    migrate.upgrade(database.engine)
    database.close()


def test_a_database_that_a_newer_release_has_migrated_counts_as_current(empty_database: str) -> None:
    database = Database(empty_database)
    migrate.upgrade(database.engine)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'newer'"))
    assert migrate.is_current(database.engine)
    database.close()


def test_two_processes_can_migrate_at_the_same_time(empty_database: str, tmp_path: Path) -> None:
    installation = Installation.make(tmp_path, database_url=empty_database.replace("+psycopg", ""))
    with installation.start("migrate") as first, installation.start("migrate") as second:
        assert (first.wait(), second.wait()) == (0, 0), installation.log_tail()
    database = Database(empty_database)
    assert migrate.is_current(database.engine)
    database.close()
