"""OpenTelemetry traces, with one span per request and per shard. Off until the usual OTEL_ variables are set.

The trace context of the request that submits a job is stored with the job, so that it survives crashes and restarts.
URLs and error messages are redacted before they become part of a span.
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
    """Send spans to OTEL_EXPORTER_OTLP_ENDPOINT. All other OTEL_ variables have their usual meaning."""
    if not any(map(os.environ.get, ENDPOINTS)) or os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning(
            "%s is set, but the extra `traces` is not installed; run: pip install 'salience-audit[traces]'",
            ENDPOINTS[0],
        )
        return
    has_name = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if has_name else {"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def flush() -> None:
    """Send the pending spans. Call it in a process that is about to end without running its exit handlers."""
    force_flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if force_flush:
        force_flush()


@contextmanager
def span(
    name: str, kind: SpanKind, parent: str | None = None, facts: Mapping[str, str | int] | None = None
) -> Iterator[Span]:
    """Open a span around this context, as child of `parent` (a traceparent). An exception marks it as failed."""
    context = _carrier.extract({HEADER: parent}) if parent else None
    tracer = trace.get_tracer("salience")
    with tracer.start_as_current_span(
        name, context, kind, facts, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_status(Status(StatusCode.ERROR, redact(f"{type(error).__name__}: {error}")))
            raise


def traceparent() -> str | None:
    """Return the current span as a traceparent, which is stored with a job, and None if there is no span."""
    carrier: dict[str, str] = {}
    _carrier.inject(carrier)
    return carrier.get(HEADER)


def current_trace() -> str | None:
    """Return the ID of the current trace in hex, and None if there is no trace."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
