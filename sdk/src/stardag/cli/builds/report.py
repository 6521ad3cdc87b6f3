"""What is told of one build: what failed first, then how it went, then its DAG."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from rich.panel import Panel
from rich.text import Text

from stardag import _colours
from stardag._readable import one_line
from stardag.cli import output
from stardag.cli.builds.facts import facts, headline, shortened
from stardag.cli.lists import listing, producers
from stardag.cli.views import cells, graph, tables, traces
from stardag.client import rows
from stardag.v1.build_pb2 import BuildStatus
from stardag.v1.build_service_pb2 import (
    BlockCause,
    GetBuildGraphRequest,
    GetBuildRequest,
    ListBlockedTasksRequest,
    ListBuildFailuresRequest,
)
from stardag.v1.task_pb2 import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from stardag.client import Client
    from stardag.v1.build_pb2 import Build
    from stardag.v1.build_service_pb2 import (
        BlockedTask,
        FailureGroup,
        ListTaskStatesRequest,
    )
    from stardag.v1.registry_service_pb2 import Producer
    from stardag.v1.task_pb2 import TaskState

MOST_GROUPS = 5
"""Groups of failures that are told; a build's log has all."""
_MOST_NAMED = 3
_MOST_TRACE_LINES = 20
_WAITS = {
    BlockCause.BLOCK_CAUSE_UPSTREAM_FAILED: "in vain, as something upstream failed",
    BlockCause.BLOCK_CAUSE_LEASE_HELD: "for a lease that another build holds",
    BlockCause.BLOCK_CAUSE_LIMIT_REACHED: "for a free slot of a limit",
    BlockCause.BLOCK_CAUSE_NOT_STARTED: "for a worker",
    BlockCause.BLOCK_CAUSE_UPSTREAM_UNFINISHED: "for what is upstream",
}


@dataclass(frozen=True, slots=True)
class BuildReport:
    """A build as the server had it when it was read; draws itself."""

    build: Build
    failures: Sequence[FailureGroup]
    more_failures: bool
    """Whether there are groups of failures beside these."""
    held_up: Mapping[str, Sequence[BlockedTask]]
    """Some of the tasks that each group keeps from running, by the group's fingerprint."""
    waiting: Sequence[BlockedTask]
    """Of a build that runs: the first of the tasks that wait."""
    more_waiting: bool
    """Whether more tasks wait than these."""
    states: Sequence[TaskState]
    edges: Sequence[tuple[int, int]]
    producers: Sequence[Producer]
    """What made the outputs that the first of its reused tasks found there."""
    trace_url: str | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw all of it."""
        yield headline(self.build)
        for number, group in enumerate(self.failures):
            yield from self._failure(group, traced=number == 0)
        if self.more_failures:
            yield Text(f"more failed than these {len(self.failures)} groups", style=_colours.RED)
        yield ""
        yield facts(self.build, self.trace_url, self.producers)
        yield from self._waits()
        if self.states:
            yield ""
            nodes = graph.condensed(
                graph.nodes_of(
                    [
                        (cells.type_name(s), cells.task_status(s), s.task_id, cells.course(s))
                        for s in self.states
                    ],
                    self.edges,
                )
            )
            yield from graph.drawn(nodes, graph.tops(nodes), options.max_width)

    def _failure(self, group: FailureGroup, *, traced: bool) -> Iterator[RenderableType]:
        yield ""
        count = cells.plural(group.failed_task_count, "task")
        what = f"{count} failed: {cells.reason(group.example)}"
        yield shortened(Text(what, style=_colours.FAILURE))
        by_id = {state.task_id: state for state in self.states}
        example = by_id.get(group.example_task_id)
        told = [_named(by_id[i]) for i in group.failed_task_ids[:_MOST_NAMED] if i in by_id]
        table = tables.facts()
        table.add_row("tasks", _some(told, group.failed_task_count))
        if group.blocked_task_count:
            kept = [_named(task) for task in self.held_up.get(group.fingerprint, ())]
            table.add_row("holds up", _some(kept, group.blocked_task_count))
        if example is not None:
            place = (example.build_id, example.task_id, example.attempt)
            table.add_row("trace", traces.span_of(*place, self.trace_url))
        table.add_row("more", cells.line(f"stardag tasks show {group.example_task_id}"))
        yield table
        if traced and group.example.stack_trace:
            yield Panel(cells.block(_end_of(group.example.stack_trace)), border_style=_colours.RED)

    def _waits(self) -> Iterator[RenderableType]:
        if not self.waiting:
            return
        yield ""
        for cause, why in _WAITS.items():
            tasks = [task for task in self.waiting if task.cause == cause]
            if tasks:
                table = tables.facts()
                named = _some([_named(task) for task in tasks[:_MOST_NAMED]], len(tasks))
                table.add_row("tasks", named)
                held = {task.lease_build_id for task in tasks if task.lease_build_id}
                by = f" (build {one_line(', '.join(sorted(held)[:_MOST_NAMED]))})" if held else ""
                yield Text(f"{cells.plural(len(tasks), 'task')} waiting {why}{by}")
                yield table
        if self.more_waiting:
            yield Text(f"of the first {len(self.waiting)} that wait; more do", style=_colours.MUTED)


def read(client: Client, build_id: str, trace_url: str | None) -> BuildReport:
    """Read what is to be told of a build. Raises `NotFoundError`, and `ServerError` otherwise."""
    build = client.builds.GetBuild(GetBuildRequest(build_id=build_id)).build
    request = ListBuildFailuresRequest(build_id=build_id, page_size=MOST_GROUPS)
    failures = client.builds.ListBuildFailures(request)
    held_up = {
        group.fingerprint: _blocked(client, build_id, _MOST_NAMED, group.example_task_id)[0]
        for group in failures.groups
        if group.blocked_task_count
    }
    running = build.status == BuildStatus.BUILD_STATUS_RUNNING
    states: list[TaskState] = []
    edges: list[tuple[int, int]] = []
    for part in client.builds.GetBuildGraph(GetBuildGraphRequest(build_id=build_id)):
        states += part.nodes
        edges += zip(part.edge_upstreams, part.edge_downstreams, strict=True)
    return BuildReport(
        build,
        failures.groups,
        bool(failures.next_page_token),
        held_up,
        *(_blocked(client, build_id, listing.PAGE) if running else ((), False)),
        states,
        edges,
        _reused_from(client, build, islice(states, listing.PAGE)),
        trace_url,
    )


def as_json(client: Client, request: ListTaskStatesRequest) -> dict[str, Any]:
    """Return a build, its failures, the tasks that are asked for and what made what they reused.

    Raises as `read`.
    """
    build_id = request.build_id
    build = client.builds.GetBuild(GetBuildRequest(build_id=build_id)).build
    failures = ListBuildFailuresRequest(build_id=build_id, page_size=100)
    request.page_size = listing.PAGE
    groups = rows(client.builds.ListBuildFailures, failures, lambda page: page.groups)
    states = [*rows(client.builds.ListTaskStates, request, lambda page: page.task_states)]
    return {
        "build": output.as_dict(build),
        "failures": [output.as_dict(group) for group in groups],
        "tasks": [output.as_dict(state) for state in states],
        "producers": [output.as_dict(each) for each in _reused_from(client, build, states)],
    }


def _blocked(
    client: Client, build_id: str, most: int, cause: str = ""
) -> tuple[Sequence[BlockedTask], bool]:
    """Return the first tasks that wait, of those that `cause` holds up, and if there are more."""
    request = ListBlockedTasksRequest(build_id=build_id, root_cause_task_id=cause, page_size=most)
    page = client.builds.ListBlockedTasks(request)
    return page.tasks, bool(page.next_page_token)


def _end_of(trace: str) -> str:
    lines = trace.rstrip().splitlines()
    if (before := len(lines) - _MOST_TRACE_LINES) > 1:
        lines = [f"… {before} lines before", *lines[before:]]
    return "\n".join(lines)


def _named(task: TaskState | BlockedTask) -> str:
    return f"{cells.type_name(task)} {one_line(task.task_id)}"


def _some(named: Sequence[str], count: int) -> Text:
    """Return tasks with a line each, and how many there are beside them."""
    more = count - len(named)
    lines = [*named, *[f"and {more} more"] * (more > 0)] if named else [str(count)]
    return Text("\n".join(lines))


def _reused_from(client: Client, build: Build, states: Iterable[TaskState]) -> list[Producer]:
    """Return what made the outputs of the tasks that a build reused.

    Left out are those that a later build has made anew, as what was reused is not known then.
    """
    reused = [s.task_id for s in states if s.status == TaskStatus.TASK_STATUS_REUSED]
    found = producers.find(client, reused)
    # ids of builds are in the order of their starts
    return [producer for producer in found if producer.build_id < build.build_id]
