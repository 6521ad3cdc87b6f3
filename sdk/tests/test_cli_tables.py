"""What the command prints of what came over the wire."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from stardag._readable import one_line
from stardag.cli import tables
from stardag.v1.build_pb2 import Build, TaskStatusCount
from stardag.v1.task_pb2 import TaskFailure, TaskState, TaskStatus


def shown(*renderables: object) -> str:
    console = Console(width=160, force_terminal=True, color_system=None)
    with console.capture() as capture:
        for renderable in renderables:
            console.print(renderable)
    return capture.get()


def test_text_can_not_control_the_terminal() -> None:
    evil = "\x1b[2J\x1b]0;title\x07[red]x[/red]"
    failed = TaskState(
        name=evil,
        status=TaskStatus.TASK_STATUS_FAILED,
        failure=TaskFailure(stack_trace=evil),
    )
    build = Build(name=evil, description=evil, reason=evil, labels={evil: evil}, host=evil)
    build.command = build.runtime = evil
    out = shown(
        tables.builds([build]),
        tables.build_facts(build),
        tables.task_states([failed]),
        *tables.failures([failed]),
    )
    assert "\x1b[2J" not in out
    assert "\x1b]0;" not in out
    assert "[red]x[/red]" in out
    assert one_line("a\nb") == "a\\nb"


def test_a_time_out_of_range_is_shown_as_it_came() -> None:
    assert tables.moment(Timestamp(seconds=253402300799)).startswith("9999-12-31")


def test_a_status_of_a_newer_server_is_shown_as_its_number() -> None:
    build = Build(status=77, task_counts=[TaskStatusCount(status=78, count=2)])  # pyright: ignore
    assert tables.build_status(build) == "77"
    assert tables.counts(build) == "2 78"


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [(0, ""), (1500, "2 ms"), (2_500_000, "2.5 s"), (150_000_000, "2 min 30 s")],
)
def test_durations_are_in_the_unit_that_suits_them(microseconds: int, text: str) -> None:
    assert tables.duration(microseconds) == text
