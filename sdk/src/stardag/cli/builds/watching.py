"""Following a build: a live view in a terminal, a line a change elsewhere."""

from __future__ import annotations

from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group
from rich.live import Live
from rich.text import Text

from stardag import _colours
from stardag._readable import one_line
from stardag.cli import output
from stardag.cli.builds.facts import facts, headline
from stardag.cli.views import cells, tables
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
_FIRST = (TaskStatus.TASK_STATUS_FAILED, *_ACTIVE)


def follow(client: Client, build_id: str, *, json: bool) -> int:
    """Show a build until it ends, and return 0 if it completed, else 1."""
    view = BuildView()
    responses = view.seen(client.watch_build(build_id))
    if json:
        _print_objects(responses)
    elif output.can_redraw():
        _redraw(responses, view)
    else:
        print_lines(responses)
    completed = view.build.status == BuildStatus.BUILD_STATUS_COMPLETED
    return 0 if completed else 1


class BuildView:
    """The latest of what a watch has said."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.build = Build()
        self.states: dict[str, TaskState] = {}
        self._as_of = Timestamp()

    def seen(self, responses: Iterator[WatchBuildResponse]) -> Iterator[WatchBuildResponse]:
        """Pass responses on after taking them in."""
        for response in responses:
            self._as_of = response.server_time
            if response.HasField("build"):
                self.build = response.build
            for state in response.task_states:
                self.states.pop(state.task_id, None)  # so that the dict ends with the newest
                self.states[state.task_id] = state
            yield response

    def __rich__(self) -> RenderableType:
        """Draw the build, what runs, and what ended last."""
        if not self.build.build_id:
            return Text("waiting for the server", style=_colours.MUTED)
        newest = list(reversed(self.states.values()))
        failed = [s for s in newest if s.status == TaskStatus.TASK_STATUS_FAILED]
        active = [s for s in newest if s.status in _ACTIVE]
        ended = (s for s in newest if s.HasField("end_time") and s.status not in _FIRST)
        shown = list(islice(chain(failed, active, ended), _SHOWN))
        as_of = Text(f"as of {cells.moment(self._as_of)}", style=_colours.MUTED)
        return Group(
            headline(self.build),
            facts(self.build),
            "",
            tables.task_states(shown, wide=output.is_wide()),
            as_of,
        )


def _redraw(responses: Iterator[WatchBuildResponse], view: BuildView) -> None:
    with Live(view, console=output.console(), refresh_per_second=10):
        for _ in responses:
            pass


def _print_objects(responses: Iterator[WatchBuildResponse]) -> None:
    for response in responses:
        if not response.heartbeat:
            output.print_json(output.as_dict(response), indent=None)


def print_lines(responses: Iterator[WatchBuildResponse]) -> None:
    """Print a line for each task that is in another status or attempt, or build that has changed.

    What has not begun is only counted, and how far a task is makes no line.
    """
    told: dict[str, tuple[int, int]] = {}
    build_told = ""
    for response in responses:
        for state in response.task_states:
            stage = (state.status, state.attempt)
            if state.status != TaskStatus.TASK_STATUS_PENDING and told.get(state.task_id) != stage:
                print(f"{datetime.now():%H:%M:%S} {_line(state)}", flush=True)
            told[state.task_id] = stage
        if response.HasField("build"):
            build = response.build
            words = ("build", one_line(build.build_id), cells.build_status(build))
            line = " ".join((*words, cells.counts(build.task_counts)))
            if line != build_told:
                print(line, flush=True)
            build_told = line


def _line(state: TaskState) -> str:
    words = (cells.task_status(state), cells.type_name(state), one_line(state.task_id))
    line = " ".join(filter(None, (*words, cells.course(state))))
    return f"{line}: {cells.reason(state.failure)}" if state.HasField("failure") else line
