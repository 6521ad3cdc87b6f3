"""A real OTLP collector, gRPC and in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent import futures
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import (
    trace_service_pb2,
    trace_service_pb2_grpc,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps the spans it is sent, until `stop`."""

    def __init__(self, *, port: int = 0, most_bytes: int = 4 << 20) -> None:
        """Listen on loopback, and refuse messages of more than `most_bytes`."""
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        self._lock = threading.Lock()
        self._grpc = grpc.server(
            futures.ThreadPoolExecutor(2),
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", most_bytes)],
        )
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._grpc)
        self.port = self._grpc.add_insecure_port(f"127.0.0.1:{port}")
        self._grpc.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._grpc.stop(0).wait()

    def Export(
        self,
        request: trace_service_pb2.ExportTraceServiceRequest,
        context: grpc.ServicerContext,
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        with self._lock:
            for resource in request.resource_spans:
                self.resources.append(attributes(resource.resource.attributes))
                for scope in resource.scope_spans:
                    self.spans.extend(scope.spans)
        return trace_service_pb2.ExportTraceServiceResponse()


def attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Return the attributes of a span, a link or a resource."""
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    assert kind is not None
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)
