"""The server's own traces: a span a call, a span a group commit.

Off unless the standard variables of OpenTelemetry name an endpoint. Spans name no
caller and nothing that a client sent.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from stardag.telemetry.current import traces_wanted

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def set_up(environment: Mapping[str, str]) -> Callable[[], None]:
    """Send spans where the environment says, if it does; return what sends the rest at the end."""
    if not traces_wanted(environment):
        return lambda: None
    # Ten megabytes that a server without traces does not need.
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from stardag.telemetry.resource import resource_called

    provider = TracerProvider(resource=resource_called("stardag-server"))
    provider.add_span_processor(BatchSpanProcessor(_exporter(environment)))
    trace.set_tracer_provider(provider)
    return provider.shutdown


def _exporter(environment: Mapping[str, str]) -> "SpanExporter":
    """Return what sends by gRPC if that is asked for, else by HTTP, OpenTelemetry's default."""
    if next(filter(None, map(environment.get, _PROTOCOLS)), "") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
        OTLPSpanExporter as HttpSpanExporter,
    )

    return HttpSpanExporter()
