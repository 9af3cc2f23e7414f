"""Around every request: an ID, a span, the metrics and a line in the log. Knows no route and no use case.

A request's latency counts until its answer begins, and not at all where it asked to wait for a change, or uploads.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders

from service.telemetry import logs, tracing
from service.telemetry.redaction import redact

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Message, Receive, Send], Awaitable[None]]

REQUEST_ID = "X-Request-ID"
GIVEN_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Whose time is not the service's own, also where nobody asks to wait: an upload takes as long as its sender does.
LONG_ROUTES = frozenset({"/v1/inspect", "/v1/artifacts"})
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})

MOST_PATH = 1024  # characters of a path in the log, so that there is room for what follows it

log = logging.getLogger(__name__)


class RequestMetrics:
    """Requests answered, by route's template, so that nobody can make new series by asking for new paths."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route")
        self._requests = Counter("salience_http_requests", "Requests answered", (*labels, "status"), registry=registry)
        self._seconds = Histogram(
            "salience_http_request_seconds", "Seconds until the answer began, of requests that did not ask to wait",
            labels, buckets=SECONDS, registry=registry,
        )  # fmt: skip

    def record(self, scope: Message, status: int, seconds: float) -> None:
        """Count a request."""
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._requests.labels(method, route_of(scope), str(status)).inc()
        if b"wait=" not in scope["query_string"] and route_of(scope) not in LONG_ROUTES:
            self._seconds.labels(method, route_of(scope)).observe(seconds)


def route_of(scope: Message) -> str:
    """The template of the route that took a request."""
    return str(getattr(scope.get("route"), "path", "unknown"))


class RequestTelemetryMiddleware:
    """ASGI middleware. What no handler answers is a 500 that says nothing of its cause; the log does, by its ID."""

    def __init__(self, app: ASGI, metrics: RequestMetrics, unforeseen: Callable[[str, str], ASGI]) -> None:
        self._app, self._metrics, self._unforeseen = app, metrics, unforeseen

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request = _valid_id(headers.get(REQUEST_ID)) or uuid4().hex
        with (
            logs.bound_ids(request=request),
            tracing.span(scope["method"], SpanKind.SERVER, headers.get(tracing.HEADER)) as span,
        ):
            answer = _Answer(send, request)
            try:
                await self._app(scope, receive, answer.send)
            except Exception:
                log.exception("%s %s broke", scope["method"], redact(scope["path"], MOST_PATH))
                if answer.began is not None:
                    raise
                await self._unforeseen(request, scope["path"])(scope, receive, answer.send)
            finally:
                self._note(scope, answer, span)

    def _note(self, scope: Message, answer: "_Answer", span: Span) -> None:
        span.update_name(f"{scope['method']} {route_of(scope)}")
        span.set_attributes({"http.route": route_of(scope), "http.response.status_code": answer.status})
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR))
        seconds = answer.seconds()
        self._metrics.record(scope, answer.status, seconds)
        path = redact(scope["path"], MOST_PATH)
        facts = {"method": scope["method"], "path": path, "status": answer.status, "seconds": round(seconds, 4)}
        level = logging.DEBUG if route_of(scope) in QUIET else logging.INFO
        named = {name.removesuffix("_id"): value for name, value in scope.get("path_params", {}).items()}
        with logs.bound_ids(**named):
            log.log(level, "%(method)s %(path)s %(status)d in %(seconds)s s", facts, extra=facts)


class _Answer:
    """Watches an answer on its way out, and gives it what all have. Where there is none, the client went away: 499."""

    def __init__(self, send: Send, request: str) -> None:
        self._send, self._request, self._asked = send, request, time.perf_counter()
        self.status = 499
        self.began: float | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.began = int(message["status"]), time.perf_counter()
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self._request
            headers["X-Content-Type-Options"] = "nosniff"  # no browser is to take what users gave for a page
        await self._send(message)

    def seconds(self) -> float:
        return (self.began or time.perf_counter()) - self._asked


def _valid_id(given: str | None) -> str | None:
    """An ID that a client or a proxy gave, if it is one."""
    return given if given and GIVEN_ID.fullmatch(given) else None
