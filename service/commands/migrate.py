"""`salience migrate`: upgrades the database schema to the newest version."""

import json

import click
from sqlalchemy.exc import InternalError, OperationalError

from service.commands.arguments import json_option
from service.settings import StoreSettings
from service.storage import Database
from service.storage import migrate as schema


@click.command()
@json_option
def migrate(as_json: bool) -> None:
    """Upgrade the database (SALIENCE_DATABASE_URL) to the newest schema. Run it before the API and workers."""
    settings = StoreSettings.read()
    database = Database(settings.database, settings.database_timeouts)
    url = database.url.render_as_string(hide_password=True)
    try:
        schema.upgrade(database.engine)
    except OperationalError as error:
        raise click.ClickException(f"{url} (SALIENCE_DATABASE_URL) does not answer: {error.orig}") from error
    except InternalError as error:  # such as a read-only standby
        raise click.ClickException(f"{url} (SALIENCE_DATABASE_URL) cannot be changed: {error.orig}") from error
    click.echo(json.dumps({"database": url, "current": True}) if as_json else f"{url} is up to date.")
