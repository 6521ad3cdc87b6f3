"""The server's own spans, received by a real collector."""

from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from producer import Producer
from running_server import Client
from server_process import ServerProcess
from support.collector import Collector, HttpCollector

from stardag.v1.event_service_pb2 import PublishEventBatchRequest
from stardag_server import tracing

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize(
    ("kind", "protocol", "attributes", "service"),
    [
        (Collector, "grpc", "", "stardag-server"),
        (HttpCollector, "", "service.name=nightly", "nightly"),
    ],
)
async def test_a_call_and_its_commit_are_spans_under_the_callers_trace(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Collector | HttpCollector],
    protocol: str,
    attributes: str,
    service: str,
):
    collector = kind()
    monkeypatch.setenv(ENDPOINT, collector.endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", attributes)
    trace_id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    make = Producer()
    with ServerProcess(tmp_path / "data") as server:
        async with server.channel() as channel:
            client = Client(channel, server.metadata)
            await client.events.PublishEventBatch(
                PublishEventBatchRequest(
                    stream=make.open, first_sequence=1, events=[make.started()]
                ),
                metadata=(*client.metadata, ("traceparent", f"00-{trace_id}-{parent}-01")),
            )
        assert server.terminate() == 0
    collector.close()
    spans = {span.name: span for span in collector.spans}
    call = spans["stardag.v1.EventService/PublishEventBatch"]
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (trace_id, parent)
    assert call.kind == Span.SPAN_KIND_SERVER
    assert "group commit" in spans
    assert {resource["service.name"] for resource in collector.resources} == {service}
    assert server.token not in str(collector.spans)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {ENDPOINT: "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {ENDPOINT: "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_no_spans_are_made_that_are_not_asked_for(variables: dict[str, str]):
    tracing.set_up(variables)()
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
