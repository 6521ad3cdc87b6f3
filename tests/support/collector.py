"""OpenTelemetry collectors: the OTLP trace service over gRPC and HTTP, keeping what comes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(services.TraceServiceServicer):
    """Listens on a free port of loopback until closed."""

    def __init__(self) -> None:
        """Start listening."""
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        services.add_TraceServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.endpoint = f"http://127.0.0.1:{port}"
        self._server.start()

    def Export(
        self, request: messages.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> messages.ExportTraceServiceResponse:
        """Keep the spans."""
        self.spans.extend(_spans(request))
        self.resources.extend(_resources(request))
        return messages.ExportTraceServiceResponse()

    def close(self) -> None:
        """Stop listening."""
        self._server.stop(None).wait()


class HttpCollector:
    """Listens on a free port of loopback until closed; takes binary Protobuf."""

    def __init__(self) -> None:
        """Start listening."""
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = messages.ExportTraceServiceRequest.FromString(body)
                collector.spans.extend(_spans(request))
                collector.resources.extend(_resources(request))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _spans(request: messages.ExportTraceServiceRequest) -> list[Span]:
    return [
        span
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


def _resources(request: messages.ExportTraceServiceRequest) -> list[dict[str, str]]:
    return [
        {a.key: a.value.string_value for a in resource_spans.resource.attributes}
        for resource_spans in request.resource_spans
    ]
