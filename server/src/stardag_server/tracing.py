"""The server's own traces: a span a call, a span a group commit.

Off unless the standard variables of OpenTelemetry name an endpoint. Spans name no
caller and nothing that a client sent.
"""

from collections.abc import Callable, Mapping

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def set_up(environment: Mapping[str, str]) -> Callable[[], None]:
    """Send spans where the environment says, if it does; return what sends the rest at the end."""
    wanted = any(environment.get(name) for name in _ENDPOINTS)
    if not wanted or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return lambda: None
    # Ten megabytes that a server without traces does not need.
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(
        # Variables of the environment go before this.
        resource=Resource.create().merge(
            Resource({})
            if environment.get("OTEL_SERVICE_NAME")
            else Resource({"service.name": "stardag-server"})
        )
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.shutdown
