"""The span of a running attempt, for whoever makes spans of their own within it.

The sender exports the span itself, later and from another process. Here its ids are known
already, as they follow from the attempt: that is all it takes to be a parent.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from stardag.telemetry import ids
from stardag.telemetry.sampling import is_sampled
from stardag.telemetry.trace_parent import TraceParent, parse_trace_parent

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("stardag")

_API = "opentelemetry.trace"
VARIABLE = "TRACEPARENT"
"""Environment variable by which a program is told the trace that it is part of."""


@dataclass(frozen=True, slots=True)
class BuildTrace:
    """The trace that a build is."""

    build: UUID
    sampled: bool
    """Whether its spans are recorded."""
    is_current: bool
    """Whether OpenTelemetry's current context is to follow the attempts that run here."""

    def in_this_process(self) -> BuildTrace:
        """Return the same for attempts that run in the process that asks."""
        return replace(self, is_current=traces_wanted(os.environ) and _api_is_there())

    def attempt(self, task: UUID, number: int) -> TraceParent:
        """Return the place of an attempt's span."""
        span = ids.attempt_span_id(self.build, task, number)
        return TraceParent(ids.trace_id(self.build), span, self.sampled)


def open_trace(build: UUID, parent: TraceParent | None) -> BuildTrace | None:
    """Return the trace of a build that was started within `parent`, if within any.

    None if OpenTelemetry's variables ask for none: then nobody exports the spans of the build,
    and nobody's span should have one of them as its parent.
    """
    if not traces_wanted(os.environ):
        return None
    within = parent.sampled if parent is not None else None
    sampled = is_sampled(ids.trace_id(build), os.environ, within)
    return BuildTrace(build, sampled, is_current=_api_is_there())


def started_within() -> TraceParent | None:
    """Return the span in which this is called: OpenTelemetry's current one, or the program's."""
    if _API in sys.modules:
        from opentelemetry import trace

        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            return TraceParent(context.trace_id, context.span_id, context.trace_flags.sampled)
    return parse_trace_parent(os.environ.get(VARIABLE, ""))


def enter(place: TraceParent) -> Any:
    """Make a span the current one, and return what `leave` wants; None if that can't be done."""
    try:
        from opentelemetry import context, trace

        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if place.sampled else 0)
        known = trace.SpanContext(place.trace_id, place.span_id, is_remote=True, trace_flags=flags)
        return context.attach(trace.set_span_in_context(trace.NonRecordingSpan(known)))
    except Exception:  # of whatever is installed as OpenTelemetry: the task is to run all the same
        _log.warning("user code has no parent for its spans", exc_info=True)
        return None


def leave(token: Any) -> None:
    """Make that current again which was before."""
    from opentelemetry import context

    context.detach(token)


def export_own_spans() -> None:
    """Export what the process's own OpenTelemetry SDK still holds, if there is one, and end it.

    For a process that ends without `atexit`, where the SDK would do so itself.
    """
    if _API not in sys.modules:
        return
    from opentelemetry import trace

    try:
        if callable(shutdown := getattr(trace.get_tracer_provider(), "shutdown", None)):
            shutdown()
    except Exception:  # as in `enter`
        _log.warning("spans of user code may be lost", exc_info=True)


def traces_wanted(environment: Mapping[str, str]) -> bool:
    """Return whether OpenTelemetry's variables ask for traces by OTLP."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporters = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    if "otlp" not in (name.strip() for name in exporters.split(",")):
        return False
    return bool(
        environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    )


def _api_is_there() -> bool:
    try:
        import opentelemetry.trace
    except Exception:  # it is not installed, or not whole
        return False
    return bool(opentelemetry.trace)
