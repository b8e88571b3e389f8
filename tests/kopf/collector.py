"""A stand-in for what takes traces: an OpenTelemetry collector and Application Insights, on loopback."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

OTLP_PATH = "/v1/traces"
INSTRUMENTATION_KEY = "00000000-0000-0000-0000-00000000feed"


class Collector:
    """Keeps what is posted to it. `bodies` holds everything as it came, unpacked."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.bodies.append((self.path, body))
                answer = (
                    b"" if self.path == OTLP_PATH else b'{"itemsReceived":1,"itemsAccepted":1,"errors":[]}'
                )
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        """The base URL, as OTEL_EXPORTER_OTLP_ENDPOINT takes it."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def connection_string(self) -> str:
        """As APPLICATIONINSIGHTS_CONNECTION_STRING takes it."""
        return f"InstrumentationKey={INSTRUMENTATION_KEY};IngestionEndpoint={self.url}/"

    @property
    def spans(self) -> list[Span]:
        """The spans that came by OTLP."""
        requests = [
            ExportTraceServiceRequest.FromString(body) for path, body in self.bodies if path == OTLP_PATH
        ]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def services(self) -> set[str]:
        """The names under which services sent them."""
        requests = [
            ExportTraceServiceRequest.FromString(body) for path, body in self.bodies if path == OTLP_PATH
        ]
        return {
            attribute.value.string_value
            for request in requests
            for resource in request.resource_spans
            for attribute in resource.resource.attributes
            if attribute.key == "service.name"
        }

    @property
    def insights(self) -> list[dict[str, Any]]:
        """What came for Application Insights."""
        return [item for path, body in self.bodies if path.endswith("/track") for item in json.loads(body)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def attributes(span: Span) -> dict[str, str]:
    """A span's attributes as text."""
    return {attribute.key: attribute.value.string_value for attribute in span.attributes}
