"""The HTTP application: `create_app(settings)` joins routes, store and doorbell. Loads without torch."""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from http import HTTPStatus

from fastapi import FastAPI

from service import __version__, embedded, http_errors, schema
from service.access import Door
from service.artifacts import ArtifactPlace
from service.checks import Known
from service.edge import Edge
from service.events import Feed
from service.guarded import open_client
from service.jobs import Jobs
from service.keyring import Keyring, own_key
from service.metrics import collecting, make_registry
from service.observing import Observed, RequestMetrics
from service.openapi import Application
from service.queue import Doorbell
from service.rates import Rates
from service.registry.mlflow import Mlflow, tracking_server
from service.registry.registrar import Registrar, registering
from service.routes import (
    artifacts,
    catalogue,
    comparing,
    events,
    health,
    hooks,
    images,
    inspections,
    jobs,
    maps,
    metrics,
    new_job,
    page_files,
    pages,
    policies,
    report,
    webhooks,
)
from service.settings import ServiceSettings
from service.staying import Staying
from service.storage import Store
from service.sweeper import sweeping
from service.watch import Watch
from service.webhooks.sender import sending

# Events come before jobs, one of whose routes takes any word for a job's ID.
API = (events, jobs, images, maps, report, policies, artifacts, inspections, webhooks, catalogue)
PAGES = (pages, new_job, comparing, page_files)
# What any route may answer before it is asked.
AT_THE_DOOR = (
    HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)  # fmt: skip
# The tenant by whose policies a registry's versions are audited.
DEFAULT = ""
WEBHOOK_SECONDS = 15.0  # for an answer
STREAMED = frozenset({"/v1/artifacts"})  # with a limit of its own
DESCRIPTION = "Audits where vision models look: salience maps for every image and five measures over them."


def create_app(settings: ServiceSettings | None = None) -> FastAPI:
    """The application, with settings from the environment unless given."""
    chosen = settings or ServiceSettings.read()
    app = Application(
        title="Salience audit service",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lambda app: _lifespan(app, chosen),
        docs_url=None,  # our own page, which loads nothing from elsewhere
        redoc_url=None,
        # FastAPI's own spans and logs hold queries and bodies, which may be signed or secret; see service.observing.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for routes in API:
        app.include_router(routes.router, responses=http_errors.documented(*AT_THE_DOOR))
    for routes in (hooks, health, metrics):
        app.include_router(routes.router)
    for routes in PAGES:  # for people, who read no document
        app.include_router(routes.router, include_in_schema=False)
    app.add_middleware(Edge, most=chosen.body_bytes, streamed=STREAMED)
    http_errors.install(app)
    app.state.metrics = make_registry()
    app.add_middleware(Observed, metrics=RequestMetrics(app.state.metrics), unforeseen=http_errors.unforeseen)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI, settings: ServiceSettings) -> AsyncIterator[None]:
    store = Store.open(settings.database, settings.max_deaths, settings.database_timeouts)
    async with AsyncExitStack() as stack:
        stack.callback(store.database.close)
        stack.enter_context(collecting(app.state.metrics, store))
        broker_url = stack.enter_context(_embedded(settings, store)) if settings.embedded else settings.broker_url
        doorbell = Doorbell(broker_url)
        stack.callback(doorbell.close)
        uploads = ArtifactPlace(settings.artifacts_location, store.owners)
        stack.enter_context(sweeping(store, doorbell, settings, uploads))
        watch = Watch(store.jobs)
        await stack.enter_async_context(watch.running())
        known = Known(settings.roots, ArtifactPlace(settings.artifacts_location), settings.web_hosts)
        app.state.everyones_jobs = jobs = Jobs(store, doorbell, known, settings.job_limits)
        app.state.door = door = Door(store.keys, settings.keys_required)
        app.state.rates = Rates.of(settings.requests_a_minute, settings.broker_url)
        app.state.watch, app.state.feed, app.state.staying = watch, Feed(watch), Staying(door)
        stack.enter_context(_telling(app, jobs, settings))
        gc.freeze()  # what is there by now stays, and is not gone through while requests wait
        yield


@contextmanager
def _telling(app: FastAPI, jobs: Jobs, settings: ServiceSettings) -> Iterator[None]:
    """Tell webhooks of jobs that end, and a model registry of its versions."""
    app.state.keys = keys = _keys(settings)
    tracking = tracking_server()
    app.state.mlflow_secret = settings.mlflow_secret if tracking else ""
    source, pause = settings.public_url.rstrip("/"), settings.sweep_seconds
    client = open_client(settings.web_hosts, WEBHOOK_SECONDS, redirects=0)
    with client, sending(jobs.store.outbox, keys, source, pause, client), ExitStack() as stack:
        if tracking:
            registry = stack.enter_context(Mlflow.at(tracking))
            stack.enter_context(
                registering(Registrar(jobs.of(DEFAULT), registry, source, settings.reconcile_seconds, pause))
            )
        yield


def _keys(settings: ServiceSettings) -> Keyring:
    """The operator's keys; the embedded service makes its own."""
    own = settings.embedded and not settings.secret_keys
    return Keyring([own_key(settings.data_dir)] if own else settings.secret_keys)


@contextmanager
def _embedded(settings: ServiceSettings, store: Store) -> Iterator[str]:
    """Bring the schema, the broker and the worker. Yields the broker's URL."""
    held = embedded.lock(settings.data_dir)  # noqa: F841  # released when this process ends, however it ends
    schema.upgrade(store.database.engine)
    store.leases.release_all()
    with embedded.broker() as broker_url, embedded.worker(settings, broker_url):
        yield broker_url
