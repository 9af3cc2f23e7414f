"""`salience serve`: the HTTP API, and without URLs in the environment everything that it needs."""

import click
import uvicorn

from service.main import create_app
from service.settings import ServiceSettings


@click.command()
@click.option("--host", help="Address to listen on [default: 127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on [default: 8000].")
def serve(host: str | None, port: int | None) -> None:
    """Serve the HTTP API.

    Without SALIENCE_BROKER_URL this is the embedded service: SQLite in SALIENCE_DATA_DIR, a broker on loopback
    and a worker, all of which stop with it.
    """
    settings = ServiceSettings.read(host=host, port=port)
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port)
