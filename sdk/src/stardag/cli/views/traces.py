"""Where a build's trace and a task's span are, for people to follow."""

from __future__ import annotations

from uuid import UUID

from stardag.telemetry.ids import attempt_span_id


def trace_of(build_id: str, trace_url: str | None) -> str:
    """Return the id of a build's trace, or where it is shown, given that with `{trace_id}`."""
    trace_id = build_id.replace("-", "")
    return trace_url.replace("{trace_id}", trace_id) if trace_url else trace_id


def span_of(build_id: str, task_id: str, attempt: int, trace_url: str | None) -> str:
    """Return where the span of an attempt is: its trace, and its id."""
    span = attempt_span_id(UUID(build_id), UUID(task_id), attempt)
    return f"{trace_of(build_id, trace_url)}, span {span:016x}"
