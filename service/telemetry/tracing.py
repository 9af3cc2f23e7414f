"""OpenTelemetry traces: a span a request and one a shard, of one trace. Silent until the usual variables are set.

The trace of the request that brought a job is kept with the job, so that it outlives queues, crashes and restarts.
No URL and no text of an error goes into a span unredacted.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.telemetry.redaction import redact

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
HEADER = "traceparent"

log = logging.getLogger(__name__)
_carrier = TraceContextTextMapPropagator()


def configure(service: str) -> None:
    """Send spans where OTEL_EXPORTER_OTLP_ENDPOINT says; all other OTEL_ variables hold as OpenTelemetry has them."""
    if not any(map(os.environ.get, ENDPOINTS)) or os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("%s is set, but spans need the extra `traces`: pip install 'salience-audit[traces]'", ENDPOINTS[0])
        return
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if named else {"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def flush() -> None:
    """Send what has not been sent, for a process that ends without ceremony."""
    send = getattr(trace.get_tracer_provider(), "force_flush", None)
    if send:
        send()


@contextmanager
def span(
    name: str, kind: SpanKind, parent: str | None = None, facts: Mapping[str, str | int] | None = None
) -> Iterator[Span]:
    """A span around this context, below the span that `parent` (a traceparent) names. What is raised marks it."""
    above = _carrier.extract({HEADER: parent}) if parent else None
    tracer = trace.get_tracer("salience")
    with tracer.start_as_current_span(
        name, above, kind, facts, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_status(Status(StatusCode.ERROR, redact(f"{type(error).__name__}: {error}")))
            raise


def traceparent() -> str | None:
    """The span around this moment, as it is kept with a job; None where there is none."""
    carried: dict[str, str] = {}
    _carrier.inject(carried)
    return carried.get(HEADER)


def current_trace() -> str | None:
    """The trace around this moment, in hex; None where there is none."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
