"""Events in, spans out; pure, no I/O.

A build is a pipeline run and its root span, an attempt of a task a task run and a
span below it, named as the OpenTelemetry CI/CD conventions name them
(https://opentelemetry.io/docs/specs/semconv/cicd/cicd-spans/). An attempt's span has
links to the spans that made its inputs, and to that of the attempt before it; the root
span to the one within which the build was started. A reused task ran nothing and has no
span: what used it lists it in the attribute `stardag.reused_inputs`, and is linked to
what made it once somebody knows that, see `link_inputs`.

Times follow the producer's monotonic clock, beginning with the stream's first event of the
build, so that spans nest and last as long as they did, whatever is done to the wall clock
meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from stardag._errors import TaskTimeoutError
from stardag.telemetry import ids
from stardag.telemetry.trace_parent import parse_trace_parent
from stardag.v1 import event_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stardag.v1 import task_pb2

Value = str | int | bool | list[str]

_RESULTS = {
    event_pb2.EVENT_TYPE_BUILD_COMPLETED: ("completed", "success"),
    event_pb2.EVENT_TYPE_BUILD_FAILED: ("failed", "failure"),
    event_pb2.EVENT_TYPE_BUILD_CANCELLED: ("cancelled", "cancellation"),
    event_pb2.EVENT_TYPE_BUILD_EXITED_EARLY: ("exited_early", "skip"),
    event_pb2.EVENT_TYPE_PRODUCER_DIED: ("abandoned", "error"),
    event_pb2.EVENT_TYPE_TASK_COMPLETED: ("completed", "success"),
    event_pb2.EVENT_TYPE_TASK_FAILED: ("failed", "failure"),
    event_pb2.EVENT_TYPE_TASK_CANCELLED: ("cancelled", "cancellation"),
}
_BUILD_ENDS = frozenset(kind for kind, _ in list(_RESULTS.items())[:5])
_MOMENTS = {
    event_pb2.EVENT_TYPE_TASK_SUSPENDED: "suspended",
    event_pb2.EVENT_TYPE_TASK_RESUMED: "resumed",
}
_DIED = "ProducerDied"
_TIMED_OUT = f"{TaskTimeoutError.__module__}.{TaskTimeoutError.__qualname__}"
_LINK = "stardag.link"
"""Attribute of a link: `input`, `earlier_attempt` or `started_within`."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened during a span."""

    name: str
    time_ns: int
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class SpanLink:
    """Another span, and what it has to do with this one."""

    trace_id: int
    span_id: int
    attributes: dict[str, str]


@dataclass(slots=True)
class Span:
    """A span as OpenTelemetry knows it; times in nanoseconds since the Unix epoch."""

    name: str
    trace_id: int
    span_id: int
    start_ns: int
    parent_id: int | None = None
    end_ns: int = 0
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])
    events: list[SpanEvent] = field(default_factory=list[SpanEvent])
    links: list[SpanLink] = field(default_factory=list[SpanLink])
    inputs: list[str] = field(default_factory=list[str])
    """Ids of the tasks it depends on, those it yielded included."""
    reused_inputs: list[str] = field(default_factory=list[str])
    """Those of them that existed when the build started."""
    error: str | None = None
    """What went wrong; None if nothing did."""


@dataclass(slots=True)
class _Build:
    offset_us: int
    """By how much the wall clock was ahead of the monotonic one at its first event."""
    root: Span | None = None
    """None if the build was started by another stream, which then reports it."""
    attempts: dict[tuple[bytes, int], Span] = field(default_factory=dict[tuple[bytes, int], Span])
    made: dict[str, int] = field(default_factory=dict[str, int])
    """Task -> the attempt that completed it."""
    reused: set[str] = field(default_factory=set[str])
    sampled: bool = True


class SpanFold:
    """Turns one stream's events, in their order, into spans."""

    def __init__(self, is_sampled: Callable[[int, bool | None], bool]) -> None:
        """Begin before the stream's first event.

        `is_sampled` tells whether a trace is recorded, given its id and whether that is within
        which its build was started; of those that are not, there are no spans.
        """
        self._is_sampled = is_sampled
        self._builds: dict[bytes, _Build] = {}
        self._definitions: dict[bytes, task_pb2.TaskDefinition] = {}
        self._monotonic_us = 0

    def add(self, event: event_pb2.NewEvent) -> list[Span]:
        """Take the next event; return the spans it ends, each once."""
        self._monotonic_us = event.monotonic_us
        if event.HasField("definition"):
            self._definitions.setdefault(event.task_id, event.definition)
        offset_us = event.event_time_us - event.monotonic_us
        build = self._builds.setdefault(event.build_id, _Build(offset_us))
        if event.type == event_pb2.EVENT_TYPE_BUILD_STARTED:
            self._start_build(build, event)
        elif event.type in _BUILD_ENDS:
            del self._builds[event.build_id]
            return self._end_build(build, event)
        elif event.task_id:
            return self._add_task_event(build, event)
        return []

    def end(self) -> list[Span]:
        """Return the spans still open when the stream ends, as the errors they are."""
        death = event_pb2.NewEvent(type=event_pb2.EVENT_TYPE_PRODUCER_DIED)
        builds, self._builds = self._builds, {}
        return [span for build in builds.values() for span in self._end_build(build, death)]

    def _add_task_event(self, build: _Build, event: event_pb2.NewEvent) -> list[Span]:
        task = str(UUID(bytes=event.task_id))
        key = event.task_id, event.attempt
        span = build.attempts.get(key)
        if event.type == event_pb2.EVENT_TYPE_TASK_REUSED:
            build.reused.add(task)
        elif event.type == event_pb2.EVENT_TYPE_TASK_STARTED:
            build.attempts[key] = self._start_attempt(build, event)
        elif span is not None and event.type in _MOMENTS:
            span.events.append(SpanEvent(_MOMENTS[event.type], self._now_ns(build), {}))
            span.inputs.extend(event.wait.task_ids)
        elif span is not None and event.type in _RESULTS:
            del build.attempts[key]
            if event.type == event_pb2.EVENT_TYPE_TASK_COMPLETED:
                build.made[task] = event.attempt
            ended = self._end(build, span, event)
            return [ended] if build.sampled else []
        return []

    def _start_build(self, build: _Build, event: event_pb2.NewEvent) -> None:
        parent = parse_trace_parent(event.build_start.trace_parent)
        trace_id = ids.trace_id(UUID(bytes=event.build_id))
        build.sampled = self._is_sampled(trace_id, parent.sampled if parent is not None else None)
        build.root = self._start_root(build, event)
        if parent is not None:
            build.root.links.append(
                SpanLink(parent.trace_id, parent.span_id, {_LINK: "started_within"})
            )

    def _start_root(self, build: _Build, event: event_pb2.NewEvent) -> Span:
        build_id, start = UUID(bytes=event.build_id), event.build_start
        name = start.name or "build"
        root = Span(
            name=f"BUILD {name}",
            trace_id=ids.trace_id(build_id),
            span_id=ids.root_span_id(build_id),
            start_ns=self._now_ns(build),
        )
        root.attributes = {
            "cicd.pipeline.name": name,
            "cicd.pipeline.run.id": str(build_id),
            "cicd.pipeline.action.name": "BUILD",
            "stardag.client": start.client,
            "stardag.root_tasks": list(start.root_task_ids),
            "host.name": start.host,
        }
        texts = {
            "stardag.description": start.description,
            "process.command_line": start.command,
            "process.runtime.description": start.runtime,
        }
        root.attributes |= {name: text for name, text in texts.items() if text}
        if start.source.commit:
            root.attributes["vcs.ref.head.revision"] = start.source.commit
        if start.source.ref:
            root.attributes["vcs.ref.head.name"] = start.source.ref
        root.attributes |= {f"stardag.label.{key}": label for key, label in start.labels.items()}
        return root

    def _start_attempt(self, build: _Build, event: event_pb2.NewEvent) -> Span:
        build_id, task = UUID(bytes=event.build_id), UUID(bytes=event.task_id)
        definition = self._definitions.get(event.task_id)
        span = Span(
            name=str(task),
            trace_id=ids.trace_id(build_id),
            span_id=ids.attempt_span_id(build_id, task, event.attempt),
            start_ns=self._now_ns(build),
            parent_id=ids.root_span_id(build_id),
        )
        if definition is not None:
            named = (definition.namespace, definition.name)
            span.name = ".".join(part for part in named if part) or span.name
            span.inputs.extend(definition.dependency_ids)
            texts = {"version": definition.version, "output.uri": definition.output_uri}
            texts["namespace"] = definition.namespace
            span.attributes |= {f"stardag.{key}": text for key, text in texts.items() if text}
        span.attributes |= {
            "cicd.pipeline.run.id": str(build_id),
            "cicd.pipeline.task.name": span.name,
            "cicd.pipeline.task.run.id": str(task),
            "stardag.attempt": event.attempt,
        }
        if build.root is not None:
            span.attributes["cicd.pipeline.name"] = build.root.attributes["cicd.pipeline.name"]
        if event.attempt > 1:
            before = ids.attempt_span_id(build_id, task, event.attempt - 1)
            span.links.append(SpanLink(span.trace_id, before, {_LINK: "earlier_attempt"}))
        return span

    def _end_build(self, build: _Build, event: event_pb2.NewEvent) -> list[Span]:
        # an attempt that is still open was cut off together with its build
        spans = [self._end(build, span, event) for span in build.attempts.values()]
        if build.root is not None:
            spans.append(self._end(build, build.root, event))
        return spans if build.sampled else []

    def _end(self, build: _Build, span: Span, event: event_pb2.NewEvent) -> Span:
        span.end_ns = max(self._now_ns(build), span.start_ns)
        status, result = _RESULTS[event.type]
        if event.failure.kind == _TIMED_OUT:
            result = "timeout"
        of = "cicd.pipeline.result" if span.parent_id is None else "cicd.pipeline.task.run.result"
        span.attributes |= {"stardag.status": status, of: result}
        if result in ("failure", "error", "timeout"):
            _explain(span, event)
        self._link(build, span)
        return span

    def _link(self, build: _Build, span: Span) -> None:
        trace = UUID(int=span.trace_id)
        inputs = dict.fromkeys(span.inputs)
        span.links += [
            _input_link(trace, task, build.made[task]) for task in inputs if task in build.made
        ]
        if reused := [task for task in inputs if task in build.reused]:
            span.reused_inputs = reused
            span.attributes["stardag.reused_inputs"] = reused

    def _now_ns(self, build: _Build) -> int:
        return (build.offset_us + self._monotonic_us) * 1000


def link_inputs(span: Span, producers: Mapping[str, tuple[UUID, int]]) -> None:
    """Link a span to what made its reused inputs: the build and the attempt, by task."""
    span.links += [
        _input_link(build, task, attempt)
        for task in span.reused_inputs
        for build, attempt in [producers.get(task, (None, 0))]
        if build is not None
    ]


def _input_link(build: UUID, task: str, attempt: int) -> SpanLink:
    made = ids.attempt_span_id(build, UUID(task), attempt)
    attributes = {_LINK: "input", "cicd.pipeline.task.run.id": task}
    return SpanLink(ids.trace_id(build), made, attributes)


def _explain(span: Span, event: event_pb2.NewEvent) -> None:
    """Say what went wrong, as the conventions for errors and exceptions have it."""
    if event.HasField("failure"):
        kind, message, trace = (
            event.failure.kind,
            event.failure.message,
            event.failure.stack_trace,
        )
        exception = {"exception.type": kind, "exception.message": message}
        if trace:
            exception["exception.stacktrace"] = trace
        span.events.append(SpanEvent("exception", span.end_ns, exception))
    elif event.type == event_pb2.EVENT_TYPE_PRODUCER_DIED:
        kind, message = _DIED, event.build_end.reason or "the process died"
    else:
        kind, message = "BuildFailed", event.build_end.reason
    span.attributes["error.type"] = kind or "_OTHER"
    span.error = message
