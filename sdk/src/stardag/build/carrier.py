"""The running task's place in its trace, for what it starts elsewhere."""

from __future__ import annotations

from stardag.build.attempt import current_attempt


def trace_carrier() -> dict[str, str]:
    """Return the running task's span as W3C headers, `{"traceparent": ...}`.

    For a job or a request that a task starts, and whose spans are to come below its own. Empty
    outside of a task, and where builds are not traced. What starts in a thread, a coroutine or a
    subprocess finds its parent by itself: in OpenTelemetry's current context, and, from a process
    of the `ProcessExecutor`, in the variable `TRACEPARENT`.
    """
    attempt = current_attempt()
    span = attempt.span if attempt is not None else None
    return {"traceparent": str(span)} if span is not None else {}
