"""Creates the HTTP application from its settings: routes, middleware, store and background threads."""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI

from service import __version__
from service.api import errors as http_errors
from service.api.metrics import collecting_store_metrics
from service.api.middleware import RequestLimitsMiddleware, RequestMetrics, RequestTelemetryMiddleware
from service.api.openapi import Application
from service.api.routes import (
    artifacts,
    catalogue,
    events,
    health,
    hooks,
    images,
    inspections,
    jobs,
    maps,
    metrics,
    policies,
    webhooks,
)
from service.api.sse import Feed
from service.artifacts.store import ArtifactStore
from service.auth.authenticator import Authenticator, StreamRevocation
from service.auth.rate_limit import RateLimiter
from service.integrations.mlflow.client import MlflowClient, tracking_server
from service.integrations.mlflow.sync import RegistrySync, running_sync
from service.integrations.webhooks.secrets import SecretKeys, embedded_key
from service.integrations.webhooks.sender import running_sender
from service.jobs.service import Jobs
from service.jobs.validation.fields import InputLocator
from service.jobs.watch import JobWatch
from service.net.http_client import open_client
from service.queue import embedded
from service.queue.notifier import WorkNotifier
from service.queue.sweeper import running_sweeper
from service.settings import ServiceSettings
from service.storage import Store, migrate
from service.telemetry.metrics import make_registry
from service.web.rendering import render_page
from service.web.routes import comparison, dashboard, new_job, report, static_files

# Events come before jobs, because /v1/jobs/{job_id} would match /v1/jobs/events.
API = (events, jobs, images, maps, report, policies, artifacts, inspections, webhooks, catalogue)
PAGES = (dashboard, new_job, comparison, static_files)
# Problems that every route of the API can answer before its own code runs.
COMMON_STATUSES = (
    HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)  # fmt: skip
# The policies of this tenant select the versions of the registry that are audited.
DEFAULT_TENANT = ""
WEBHOOK_TIMEOUT_SECONDS = 15.0
STREAMED = frozenset({"/v1/artifacts"})  # uploads have their own limit, SALIENCE_MAX_ARTIFACT_GIB
DESCRIPTION = "Audits where vision models look: salience maps for every image, and measures of these maps."


def create_app(settings: ServiceSettings | None = None) -> FastAPI:
    """Create the application. Without `settings`, they are read from the environment."""
    chosen = settings or ServiceSettings.read()
    app = Application(
        title="Salience audit service",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lambda app: _lifespan(app, chosen),
        docs_url=None,  # service.web has its own page for the API's documentation
        redoc_url=None,
        # FastAPI's spans and logs contain queries and bodies, which may hold secrets. service.api.middleware
        # writes spans and logs without them.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    _include_routes(app)
    app.add_middleware(RequestLimitsMiddleware, max_bytes=chosen.max_body_bytes, streamed=STREAMED)
    http_errors.install(app, partial(render_page, "problem.html"))
    app.state.metrics = make_registry()
    app.add_middleware(
        RequestTelemetryMiddleware, metrics=RequestMetrics(app.state.metrics), internal_error=http_errors.internal_error
    )
    return app


def _include_routes(app: FastAPI) -> None:
    for routes in API:
        app.include_router(routes.router, responses=http_errors.documented(*COMMON_STATUSES))
    for routes in (hooks, health, metrics):
        app.include_router(routes.router)
    for routes in PAGES:
        app.include_router(routes.router, include_in_schema=False)


@asynccontextmanager
async def _lifespan(app: FastAPI, settings: ServiceSettings) -> AsyncIterator[None]:
    store = Store.open(settings.database, settings.max_worker_crashes, settings.database_timeouts)
    async with AsyncExitStack() as stack:
        stack.callback(store.database.close)
        stack.enter_context(collecting_store_metrics(app.state.metrics, store))
        broker_url = stack.enter_context(_embedded(settings, store)) if settings.embedded else settings.broker_url
        notifier = WorkNotifier(broker_url)
        stack.callback(notifier.close)
        uploads = ArtifactStore(settings.artifacts_location, store.artifact_owners)
        stack.enter_context(running_sweeper(store, notifier, settings, uploads))
        watch = JobWatch(store.jobs)
        await stack.enter_async_context(watch.running())
        inputs = InputLocator(settings.roots, ArtifactStore(settings.artifacts_location), settings.allowed_web_hosts)
        app.state.all_jobs = jobs = Jobs(store, notifier, inputs, settings.job_limits)
        app.state.authenticator = authenticator = Authenticator(store.keys, settings.keys_required)
        app.state.rate_limiter = RateLimiter.for_broker(settings.rate_limit_per_minute, settings.broker_url)
        app.state.watch, app.state.feed = watch, Feed(watch)
        app.state.stream_revocation = StreamRevocation(authenticator)
        stack.enter_context(_integrations(app, jobs, settings))
        gc.freeze()  # the objects created so far live as long as the process, so the collector can skip them
        yield


@contextmanager
def _integrations(app: FastAPI, jobs: Jobs, settings: ServiceSettings) -> Iterator[None]:
    """Run the webhook sender, and the sync of the model registry if one is configured."""
    app.state.secret_keys = keys = _secret_keys(settings)
    tracking = tracking_server()
    app.state.mlflow_secret = settings.mlflow_secret if tracking else ""
    source, pause = settings.public_url.rstrip("/"), settings.sweep_seconds
    client = open_client(settings.allowed_web_hosts, WEBHOOK_TIMEOUT_SECONDS, redirects=0)
    with client, running_sender(jobs.store.outbox, keys, source, pause, client), ExitStack() as stack:
        if tracking:
            registry = stack.enter_context(MlflowClient.connect(tracking))
            stack.enter_context(
                running_sync(
                    RegistrySync(jobs.for_tenant(DEFAULT_TENANT), registry, source, settings.reconcile_seconds, pause)
                )
            )
        yield


def _secret_keys(settings: ServiceSettings) -> SecretKeys:
    """Return the operator's keys. The embedded service uses a generated key if the operator gave none."""
    own = settings.embedded and not settings.secret_keys
    return SecretKeys([embedded_key(settings.data_dir)] if own else settings.secret_keys)


@contextmanager
def _embedded(settings: ServiceSettings, store: Store) -> Iterator[str]:
    """Migrate the database, and run a broker and a worker. Yields the broker's URL."""
    lock = embedded.lock(settings.data_dir)  # noqa: F841  # the system releases it when this process ends
    migrate.upgrade(store.database.engine)
    store.leases.release_all()
    with embedded.broker() as broker_url, embedded.worker(settings, broker_url):
        yield broker_url
