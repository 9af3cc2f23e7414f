"""Migrates the schema of the database, and checks whether it is current."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from service.storage.database import WRITE_OPTIONS
from service.storage.postgres import lift_limits

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine) -> None:
    """Run all pending migrations in one transaction. A lock makes other processes wait for it."""
    config = _config()
    with engine.connect().execution_options(**WRITE_OPTIONS) as connection, connection.begin():
        lift_limits(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(engine: Engine) -> bool:
    """Whether the database has every migration of this version.

    A revision that this version does not know belongs to a newer version, whose schema this version can use.
    """
    with engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(_config())
    known = {each.revision for each in scripts.walk_revisions()}
    return revision is not None and (revision == scripts.get_current_head() or revision not in known)
