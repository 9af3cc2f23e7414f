"""ASGI middleware: body limits and rate-limit headers, and for each request an ID, a span, metrics and a log line.

Streamed requests and responses are not buffered. This module knows no route and no use case. Latency is
measured until the response begins. The metrics omit the latency of uploads and of requests that wait for a change.
"""

import logging
import re
import time
from collections.abc import Callable, Collection
from http import HTTPStatus
from uuid import uuid4

from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from service.auth.rate_limit import WINDOW_SECONDS, Allowance
from service.errors import BodyTooLarge
from service.telemetry import tracing
from service.telemetry.redaction import redact

REQUEST_ID = "X-Request-ID"
VALID_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
# Their latency depends on the client or on a worker: an upload takes as long as its sender needs.
SLOW_ROUTES = frozenset({"/v1/inspect", "/v1/artifacts"})
DEBUG_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})
CLIENT_CLOSED_REQUEST = 499

MAX_PATH = 1024  # characters of a path in the log, which leaves room for the rest of the line

log = logging.getLogger(__name__)


class RequestLimitsMiddleware:
    """Refuses bodies over `max_bytes`, except on the `streamed` paths, and adds the rate-limit headers."""

    def __init__(self, app: ASGIApp, max_bytes: int, streamed: Collection[str]) -> None:
        self._app, self._max_bytes, self._streamed = app, max_bytes, streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_with_allowance(message: Message) -> None:
            if message["type"] == "http.response.start" and "allowance" in state:
                _add_rate_limit_headers(MutableHeaders(scope=message), state["allowance"])
            await send(message)

        limited = receive if scope["path"] in self._streamed else self._limited(scope, receive)
        await self._app(scope, limited, send_with_allowance)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Return a `receive` that raises an error once the declared or the actual body length exceeds the limit."""
        declared = Headers(scope=scope).get("Content-Length", "")
        size = int(declared) if declared.isdecimal() and int(declared) > self._max_bytes else 0

        async def receive_counted() -> Message:
            nonlocal size
            message = await receive() if size <= self._max_bytes else {}
            size += len(message.get("body", b""))
            if size > self._max_bytes:
                # Raise an HTTPException, because the code that reads a body lets no other error through.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(BodyTooLarge(most=self._max_bytes)))
            return message

        return receive_counted


def _add_rate_limit_headers(headers: MutableHeaders, allowance: Allowance) -> None:
    """Add the headers of the IETF draft `RateLimit header fields for HTTP`."""
    headers["RateLimit-Policy"] = f'"key";q={allowance.limit};w={WINDOW_SECONDS}'
    headers["RateLimit"] = f'"key";r={allowance.remaining};t={allowance.seconds}'


class RequestMetrics:
    """Metrics of answered requests, labelled with the route's template so that clients cannot create new series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route")
        self._requests = Counter("salience_http_requests", "Requests answered", (*labels, "status"), registry=registry)
        self._seconds = Histogram(
            "salience_http_request_seconds", "Seconds until the response began; requests with `wait` do not count",
            labels, buckets=LATENCY_BUCKETS, registry=registry,
        )  # fmt: skip

    def record(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request, and record its latency in seconds unless it waits or uploads."""
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = get_route(scope)
        self._requests.labels(method, route, str(status)).inc()
        if b"wait=" not in scope["query_string"] and route not in SLOW_ROUTES:
            self._seconds.labels(method, route).observe(seconds)


def get_route(scope: Scope) -> str:
    """Return the template of the route that answers a request, `unknown` if no route does."""
    return str(getattr(scope.get("route"), "path", "unknown"))


class RequestTelemetryMiddleware:
    """Adds an ID, a span, metrics and a log line to each request, and answers unhandled errors with a 500.

    The 500 does not reveal its cause. The log has the traceback under the request's ID.
    """

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, internal_error: Callable[[str, str], ASGIApp]) -> None:
        self._app, self._metrics, self._internal_error = app, metrics, internal_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request = _valid_id(headers.get(REQUEST_ID)) or uuid4().hex
        with (
            bound_contextvars(request=request),
            tracing.span(scope["method"], SpanKind.SERVER, headers.get(tracing.HEADER)) as span,
        ):
            response = _ObservedResponse(send, request)
            try:
                await self._app(scope, receive, response.send)
            except Exception:
                log.exception("%s %s failed", scope["method"], redact(scope["path"], MAX_PATH))
                if response.started_at is not None:
                    raise
                await self._internal_error(request, scope["path"])(scope, receive, response.send)
            finally:
                self._record(scope, response, span)

    def _record(self, scope: Scope, response: "_ObservedResponse", span: Span) -> None:
        route, seconds = get_route(scope), response.seconds()
        span.update_name(f"{scope['method']} {route}")
        span.set_attributes({"http.route": route, "http.response.status_code": response.status})
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR))
        self._metrics.record(scope, response.status, seconds)
        path = redact(scope["path"], MAX_PATH)
        facts = {"method": scope["method"], "path": path, "status": response.status, "seconds": round(seconds, 4)}
        level = logging.DEBUG if route in DEBUG_ROUTES else logging.INFO
        ids = {name.removesuffix("_id"): value for name, value in scope.get("path_params", {}).items()}
        with bound_contextvars(**ids):
            log.log(level, "%(method)s %(path)s %(status)d in %(seconds)s s", facts, extra=facts)


class _ObservedResponse:
    """Observes a response and adds the common headers. Its status is 499 if the client leaves too early."""

    def __init__(self, send: Send, request: str) -> None:
        self._send, self._request, self._received_at = send, request, time.perf_counter()
        self.status = CLIENT_CLOSED_REQUEST
        self.started_at: float | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.started_at = int(message["status"]), time.perf_counter()
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self._request
            headers["X-Content-Type-Options"] = "nosniff"  # so that no browser shows a user's upload as a page
        await self._send(message)

    def seconds(self) -> float:
        return (self.started_at or time.perf_counter()) - self._received_at


def _valid_id(text: str | None) -> str | None:
    """Return the ID that a client or a proxy sent if it is valid, otherwise None."""
    return text if text and VALID_ID.fullmatch(text) else None
