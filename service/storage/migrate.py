"""The database's schema: bringing it to the newest version, and asking whether it is there."""

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
    """Run the migrations that this database lacks, in one transaction; another process that would, waits for it."""
    config = _config()
    with engine.connect().execution_options(**WRITE_OPTIONS) as connection, connection.begin():
        lift_limits(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(engine: Engine) -> bool:
    """Whether the database has every migration that this version knows.

    One that it does not know is of a newer version, which has migrated already and leaves this one its tables.
    """
    with engine.connect() as connection:
        now = MigrationContext.configure(connection).get_current_revision()
    scripts = ScriptDirectory.from_config(_config())
    known = {each.revision for each in scripts.walk_revisions()}
    return now is not None and (now == scripts.get_current_head() or now not in known)
