"""The server's own spans, received by a real collector."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from producer import Producer
from running_server import Client
from server_process import ServerProcess

from stardag.v1.event_service_pb2 import PublishEventBatchRequest


class Collector(services.TraceServiceServicer):
    """Keeps the spans that it is sent, and their services' names."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()

    def Export(
        self, request: messages.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> messages.ExportTraceServiceResponse:
        for resource_spans in request.resource_spans:
            for attribute in resource_spans.resource.attributes:
                if attribute.key == "service.name":
                    self.services.add(attribute.value.string_value)
            for scope_spans in resource_spans.scope_spans:
                self.spans.extend(scope_spans.spans)
        return messages.ExportTraceServiceResponse()


async def test_a_call_and_its_commit_are_spans_under_the_callers_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    collector = Collector()
    listening = grpc.server(ThreadPoolExecutor(1))
    services.add_TraceServiceServicer_to_server(collector, listening)
    port = listening.add_insecure_port("127.0.0.1:0")
    listening.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    make = Producer()
    with ServerProcess(tmp_path / "data") as server:
        async with server.channel() as channel:
            client = Client(channel, server.metadata)
            await client.events.PublishEventBatch(
                PublishEventBatchRequest(
                    stream=make.open, first_sequence=1, events=[make.started()]
                ),
                metadata=(*client.metadata, ("traceparent", f"00-{trace}-{parent}-01")),
            )
        assert server.terminate() == 0
    listening.stop(None).wait()
    spans = {span.name: span for span in collector.spans}
    call = spans["stardag.v1.EventService/PublishEventBatch"]
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (trace, parent)
    assert call.kind == Span.SPAN_KIND_SERVER
    assert "group commit" in spans
    assert collector.services == {"stardag-server"}
    assert server.token not in str(collector.spans)
