"""Spans to an OpenTelemetry collector by OTLP, configured by OpenTelemetry's own variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from stardag.telemetry.resource import resource_called

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.tracking.traces.spans import Span


class OtlpExporter:
    """Sends spans to the collector that `OTEL_EXPORTER_OTLP_*` name, by gRPC or HTTP."""

    def __init__(self, *, timeout_s: float | None = None) -> None:
        """Connect when the first spans come.

        Try each time for `timeout_s`, or else for `OTEL_EXPORTER_OTLP_TIMEOUT`. Raises
        `ValueError` if the protocol is neither `grpc` nor `http/protobuf`, and what OpenTelemetry
        raises if it does not understand its settings.
        """
        self._exporter = _exporter(timeout_s)
        self._resource = resource_called("stardag")

    def export(self, spans: Sequence[Span]) -> bool:
        """Return whether the collector took `spans`."""
        exported = self._exporter.export([self._readable(span) for span in spans])
        return exported is SpanExportResult.SUCCESS

    def close(self) -> None:
        """Give up what is under way."""
        self._exporter.shutdown()

    def _readable(self, span: Span) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=_context(span.trace_id, span.span_id),
            parent=_context(span.trace_id, span.parent_id) if span.parent_id else None,
            resource=self._resource,
            attributes=span.attributes,
            events=[Event(event.name, event.attributes, event.time_ns) for event in span.events],
            links=[
                Link(_context(link.trace_id, link.span_id), link.attributes) for link in span.links
            ],
            kind=SpanKind.SERVER if span.parent_id is None else SpanKind.INTERNAL,
            status=Status(StatusCode.UNSET)
            if span.error is None
            else Status(StatusCode.ERROR, span.error),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=InstrumentationScope("stardag"),
        )


def _exporter(timeout_s: float | None) -> SpanExporter:
    protocol = (
        os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"
    )
    match protocol.strip().lower():
        case "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

            return OTLPSpanExporter(timeout=timeout_s)
        case "http/protobuf":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
                OTLPSpanExporter as HttpSpanExporter,
            )

            return HttpSpanExporter(timeout=timeout_s)
        case _:
            raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not grpc or http/protobuf")


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(
        trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
