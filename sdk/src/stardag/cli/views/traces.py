"""Where a build's trace and a task's span are, for people to follow."""

from __future__ import annotations

from uuid import UUID

from rich.style import Style
from rich.text import Text

from stardag.cli.views import cells
from stardag.telemetry.ids import attempt_span_id


def trace_of(build_id: str, trace_url: str | None) -> Text:
    """Return the id of a build's trace, or where it is shown, given that with `{trace_id}`.

    That is a link, which a terminal follows though it does not fit on one line.
    """
    trace_id = build_id.replace("-", "")
    if not trace_url:
        return cells.line(trace_id)
    place = cells.line(trace_url.replace("{trace_id}", trace_id))
    place.stylize(Style(link=place.plain))
    return place


def span_of(build_id: str, task_id: str, attempt: int, trace_url: str | None) -> Text:
    """Return where the span of an attempt is: its trace, and its id."""
    span = attempt_span_id(UUID(build_id), UUID(task_id), attempt)
    return trace_of(build_id, trace_url).append(f", span {span:016x}")
