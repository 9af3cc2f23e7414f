"""An OpenTelemetry collector for tests: it receives spans on loopback by OTLP over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Received:
    """A received span with its service, the IDs of its trace and of its parent span, and its attributes."""

    service: str
    name: str
    trace: bytes
    id: bytes
    parent: bytes
    facts: dict[str, str]


@dataclass
class Receiver:
    """The URL of the receiver and the spans that it has received."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        """Add the spans in the body of a request."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for s in scope.spans:
                    facts = {each.key: each.value.string_value for each in s.attributes}
                    self.spans.append(
                        Received(named["service.name"], s.name, s.trace_id, s.span_id, s.parent_span_id, facts)
                    )


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a collector while this context is open. Yields the collector with the spans that it has received."""
    got = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server requires this method name
            got.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Suppress the log line of each request."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        got.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield got
        finally:
            server.shutdown()
            thread.join()
