"""Builds and tasks as Rich tables."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich import markup
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stardag import _readable
from stardag.v1.build_pb2 import Build, BuildStatus
from stardag.v1.task_pb2 import TaskState, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper as EnumTypeWrapper
    from google.protobuf.timestamp_pb2 import Timestamp

_COLOURS = {
    "PENDING": "dim",
    "RUNNING": "cyan",
    "SUSPENDED": "cyan",
    "BLOCKED": "yellow",
    "COMPLETED": "green",
    "REUSED": "blue",
    "FAILED": "bold red",
    "SKIPPED": "yellow",
    "CANCELLED": "yellow",
    "EXITED_EARLY": "yellow",
    "ABANDONED": "red",
}


def builds(found: Sequence[Build]) -> Table:
    """Return builds as a table, one a line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("BUILD", "STATUS", "NAME", "STARTED", "TOOK"):
        table.add_column(column, no_wrap=column != "NAME")
    table.add_column("TASKS", overflow="fold")
    for build in found:
        table.add_row(
            build.build_id,
            status_text(build_status(build)),
            safe(build.name),
            moment(build.start_time),
            duration(build.duration_us),
            counts(build),
        )
    return table


def build_facts(build: Build, trace_url: str | None = None) -> Table:
    """Return what there is to say of one build; its trace is where `trace_url` says, if it does."""
    table = Table.grid(padding=(0, 2))
    facts = {
        "build": build.build_id,
        "status": status_text(build_status(build)),
        "name": safe(build.name),
        "description": safe(build.description),
        "reason": safe(build.reason),
        "started": moment(build.start_time),
        "took": duration(build.duration_us),
        "tasks": counts(build),
        "trace": trace_of(build, trace_url),
        "host": safe(build.host),
        "runtime": safe(build.runtime),
        "command": safe(build.command),
        "code": safe(_source(build)),
        "labels": safe(", ".join(f"{k}={v}" for k, v in sorted(build.labels.items()))),
        "incomplete": _incompleteness(build),
    }
    for name, fact in facts.items():
        if fact:
            table.add_row(Text(name, style="dim"), fact)
    return table


def trace_of(build: Build, trace_url: str | None) -> str:
    """Return the id of a build's trace, or where it is shown, given that with `{trace_id}`."""
    return trace_url.replace("{trace_id}", build.trace_id) if trace_url else build.trace_id


def failures(states: Sequence[TaskState]) -> Iterator[Panel]:
    """Return each failed task with its traceback."""
    for state in states:
        if state.status == TaskStatus.TASK_STATUS_FAILED:
            failure = state.failure
            text = failure.stack_trace.rstrip() or f"{failure.kind}: {failure.message}"
            title = f"{qualified_name(state)}  {state.task_id}"
            yield Panel(safe(text), title=safe(title), title_align="left", border_style="red")


def task_states(states: Sequence[TaskState]) -> Table:
    """Return tasks as a table, one a line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("STATUS", no_wrap=True)
    table.add_column("TASK", overflow="fold")
    table.add_column("ID", no_wrap=True)
    table.add_column("TOOK", no_wrap=True, justify="right")
    for state in states:
        table.add_row(
            status_text(task_status(state)),
            safe(qualified_name(state)),
            state.task_id,
            duration(state.duration_us),
        )
    return table


def build_status(build: Build) -> str:
    """Return the status as a word."""
    return _word(BuildStatus, build.status)


def task_status(state: TaskState) -> str:
    """Return the status as a word."""
    return _word(TaskStatus, state.status)


def _word(enum: EnumTypeWrapper[Any], number: int) -> str:
    """Return a status as a word; one of a newer server as its number."""
    value = enum.DESCRIPTOR.values_by_number.get(number)
    prefix = enum.DESCRIPTOR.values[0].name.removesuffix("UNSPECIFIED")
    return value.name.removeprefix(prefix) if value is not None else str(number)


def status_text(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, style=_COLOURS.get(status, ""))


def qualified_name(state: TaskState) -> str:
    """Return the task type's namespace and name."""
    return f"{state.namespace}.{state.name}" if state.namespace else state.name


def counts(build: Build) -> str:
    """Return the number of tasks by status, as `3 completed, 1 failed`."""
    named = ((count.count, _word(TaskStatus, count.status).lower()) for count in build.task_counts)
    return ", ".join(f"{count} {name}" for count, name in named)


def moment(timestamp: Timestamp) -> str:
    """Return a time in this machine's zone; empty for none, and as it came if out of range."""
    if not timestamp.seconds:
        return ""
    try:
        return datetime.fromtimestamp(timestamp.seconds).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return timestamp.ToJsonString()


def safe(text: str) -> str:
    """Return `printable` text of which nothing is taken for Rich's markup."""
    return markup.escape(_readable.printable(text))


def duration(microseconds: int) -> str:
    """Return a duration in the unit that suits it; empty for none."""
    return _readable.duration(microseconds / 1e6) if microseconds else ""


def _source(build: Build) -> str:
    source = build.source
    if not source.commit:
        return ""
    where = f"{source.commit[:12]} ({source.ref})" if source.ref else source.commit[:12]
    return f"{where}, with uncommitted changes" if source.dirty else where


def _incompleteness(build: Build) -> str:
    lost, rejected = build.completeness.lost_events, build.completeness.rejected_events
    parts = [f"{lost} events lost by the producer"] * bool(lost)
    parts += [f"{rejected} events rejected by the server"] * bool(rejected)
    return ", ".join(parts)
