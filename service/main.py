"""The HTTP application: `create_app(settings)` joins routes, store and doorbell. Loads without torch."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from fastapi import FastAPI

from service import __version__, embedded, http_errors, schema
from service.artifacts import ArtifactPlace
from service.jobs import Jobs
from service.queue import Doorbell
from service.routes import artifacts, catalogue, health, images, inspections, jobs
from service.settings import ServiceSettings
from service.storage import Store
from service.sweeper import sweeping
from service.watch import Watch

DESCRIPTION = "Audits where vision models look: salience maps for every image and five measures over them."


def create_app(settings: ServiceSettings | None = None) -> FastAPI:
    """The application, with settings from the environment unless given."""
    chosen = settings or ServiceSettings.read()
    app = FastAPI(
        title="Salience audit service",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lambda app: _lifespan(app, chosen),
    )
    for routes in (jobs, images, artifacts, inspections, catalogue, health):
        app.include_router(routes.router)
    http_errors.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI, settings: ServiceSettings) -> AsyncIterator[None]:
    store = Store.open(settings.database, settings.max_deaths)
    async with AsyncExitStack() as stack:
        stack.callback(store.database.close)
        broker_url = stack.enter_context(_embedded(settings, store)) if settings.embedded else settings.broker_url
        doorbell = Doorbell(broker_url)
        stack.callback(doorbell.close)
        stack.enter_context(sweeping(store, doorbell, settings))
        watch = Watch(store.jobs)
        await stack.enter_async_context(watch.running())
        place = ArtifactPlace(settings.artifacts_location)
        app.state.artifacts, app.state.artifact_bytes = place, settings.artifact_bytes
        app.state.jobs = Jobs(store, doorbell, settings.roots, place)
        app.state.watch = watch
        yield


@contextmanager
def _embedded(settings: ServiceSettings, store: Store) -> Iterator[str]:
    """Bring the schema, the broker and the worker. Yields the broker's URL."""
    held = embedded.lock(settings.data_dir)  # noqa: F841  # released when this process ends, however it ends
    schema.upgrade(store.database.engine)
    store.leases.release_all()
    with embedded.broker() as broker_url, embedded.worker(settings, broker_url):
        yield broker_url
