"""`salience serve`: runs the HTTP API and, without a broker URL, the whole embedded service."""

import gc
import logging
from types import FrameType

import click
import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from service.auth.authenticator import Authenticator
from service.errors import ApiKeysRequired, DatabaseUnavailable
from service.main import create_app
from service.settings import ServiceSettings
from service.storage import Store
from service.storage import migrate as schema
from service.telemetry import logs, tracing

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """A server that, on shutdown, ends the requests that wait for a job to change."""

    def __init__(self, app: FastAPI, settings: ServiceSettings) -> None:
        # Requests are logged with their IDs by service.api.middleware.
        super().__init__(uvicorn.Config(app, settings.host, settings.port, log_config=None, access_log=False))
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a stop signal. Waiting requests are answered now, since uvicorn waits for open requests."""
        watch = getattr(self._app.state, "watch", None)
        if watch is not None:
            watch.stop()
        super().handle_exit(sig, frame)


@click.command()
@click.option("--host", help="Address to listen on [default: 127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on [default: 8000].")
@click.pass_context
def serve(ctx: click.Context, host: str | None, port: int | None) -> None:
    """Serve the HTTP API.

    Without SALIENCE_BROKER_URL, this runs the embedded service: SQLite in SALIENCE_DATA_DIR, a broker on loopback
    and a worker, all of which stop with this command. The service requires API keys if it listens on an address other
    than loopback; see `salience keys`.
    """
    settings = ServiceSettings.read(host=host, port=port)
    logs.configure(settings.log_format, settings.log_level)
    tracing.configure("salience-api")
    _check_keys(settings)
    server = Server(create_app(settings), settings)
    # The modules loaded so far stay in use; searching them for garbage would pause all requests.
    gc.freeze()
    try:
        server.run()
    except SystemExit as stopped:  # the address is in use; uvicorn has logged it
        ctx.exit(2 if stopped.code else 0)
    if not server.started:
        ctx.exit(2)


def _check_keys(settings: ServiceSettings) -> None:
    """Raise ApiKeysRequired if other machines can reach the service but no API key exists."""
    if not settings.keys_required:
        return
    store = Store.open(settings.database, timeouts=settings.database_timeouts)
    try:
        if schema.is_current(store.database.engine):
            Authenticator(store.keys, keys_required=True).check_start(settings.host)
        elif settings.embedded:
            raise ApiKeysRequired(host=settings.host)
    except (DatabaseUnavailable, OperationalError):
        # Starting is safe: until the database answers, every request needs a key.
        log.warning("The database does not answer, so the service starts without checking that API keys exist")
    finally:
        store.database.close()
