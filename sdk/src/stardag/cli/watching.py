"""Following a build: a live view in a terminal, a line a change elsewhere."""

from __future__ import annotations

import json as json_format
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live

from stardag._readable import one_line
from stardag.cli import output, tables
from stardag.v1.build_pb2 import Build, BuildStatus
from stardag.v1.task_pb2 import TaskState, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from stardag.client import Client
    from stardag.v1.event_service_pb2 import WatchBuildResponse

_SHOWN = 15
_ACTIVE = (
    TaskStatus.TASK_STATUS_RUNNING,
    TaskStatus.TASK_STATUS_SUSPENDED,
    TaskStatus.TASK_STATUS_BLOCKED,
)


def follow(client: Client, build_id: str, *, json: bool) -> int:
    """Show a build until it ends, and return 0 if it completed, else 1."""
    view = BuildView()
    responses = view.seen(client.watch_build(build_id))
    if json:
        _print_objects(responses)
    elif output.console().is_terminal:
        _redraw(responses, view)
    else:
        _print_lines(responses)
    completed = view.build.status == BuildStatus.BUILD_STATUS_COMPLETED
    return 0 if completed else 1


class BuildView:
    """The latest of what a watch has said."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.build = Build()
        self.states: dict[str, TaskState] = {}

    def seen(self, responses: Iterator[WatchBuildResponse]) -> Iterator[WatchBuildResponse]:
        """Pass responses on after taking them in."""
        for response in responses:
            if response.HasField("build"):
                self.build = response.build
            for state in response.task_states:
                self.states.pop(state.task_id, None)  # so that the dict ends with the newest
                self.states[state.task_id] = state
            yield response

    def __rich__(self) -> RenderableType:
        """Draw the build, what runs, and what ended last."""
        states = list(self.states.values())
        active = [s for s in states if s.status in _ACTIVE]
        failed = [s for s in states if s.status == TaskStatus.TASK_STATUS_FAILED]
        first = [*failed, *active][:_SHOWN]
        ended = [s for s in reversed(states) if s not in first and s.HasField("end_time")]
        shown = first + ended[: _SHOWN - len(first)]
        return Group(tables.build_facts(self.build), "", tables.task_states(shown))


def _redraw(responses: Iterator[WatchBuildResponse], view: BuildView) -> None:
    with Live(view, console=output.console(), refresh_per_second=10):
        for _ in responses:
            pass


def _print_objects(responses: Iterator[WatchBuildResponse]) -> None:
    for response in responses:
        if not response.heartbeat:
            print(json_format.dumps(output.as_dict(response)), flush=True)


def _print_lines(responses: Iterator[WatchBuildResponse]) -> None:
    for response in responses:
        for state in response.task_states:
            now = datetime.now().strftime("%H:%M:%S")
            took = tables.duration(state.duration_us)
            name = one_line(tables.qualified_name(state))
            words = (now, tables.task_status(state), name, state.task_id)
            print(*words, took, flush=True)
        if response.HasField("build"):
            build = response.build
            print("build", build.build_id, tables.build_status(build), tables.counts(build))
