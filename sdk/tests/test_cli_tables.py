"""What the command prints of what came over the wire."""

from __future__ import annotations

import json
import time
from uuid import UUID

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from rich.color import Color
from rich.console import Console
from rich.style import Style

from stardag import _colours
from stardag._readable import one_line
from stardag.cli import output
from stardag.cli.builds.comparison import Comparison
from stardag.cli.builds.report import BuildReport
from stardag.cli.tasks import explanation
from stardag.cli.tasks.report import TaskReport
from stardag.cli.views import cells, graph, tables, traces
from stardag.v1.build_pb2 import BUILD_STATUS_RUNNING, Build, TaskStatusCount
from stardag.v1.build_service_pb2 import (
    BLOCK_CAUSE_LEASE_HELD,
    TASK_CHANGE_KIND_ADDED,
    BlockedTask,
    CompareBuildsResponse,
    FailureGroup,
    TaskChange,
)
from stardag.v1.registry_service_pb2 import (
    ExplainTaskResponse,
    IngredientDifference,
    Producer,
    RunCause,
)
from stardag.v1.task_pb2 import (
    TASK_STATUS_COMPLETED,
    TASK_STATUS_FAILED,
    TASK_STATUS_RUNNING,
    Task,
    TaskFailure,
    TaskState,
)


def shown(*renderables: object, width: int = 160) -> str:
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        for renderable in renderables:
            console.print(renderable)
    return capture.get()


def test_text_can_not_control_the_terminal() -> None:
    evil = "\x1b[2J\x1b]0;title\x07[red]x[/red]"
    failure = TaskFailure(kind=evil, message=evil, stack_trace=evil)
    failed = TaskState(
        name=evil, namespace=evil, task_id=evil, build_id=evil, failure=failure, attempt=1
    )
    build = Build(build_id=evil, name=evil, description=evil, reason=evil, labels={evil: evil})
    build.command = build.runtime = build.host = build.trace_id = build.cancel_reason = evil
    build.source.commit = build.source.ref = evil
    build.cancel_time.seconds = 1
    task = Task(task_id=evil, name=evil, params_json=json.dumps({evil: [evil, {"id": evil}]}))
    group = FailureGroup(fingerprint=evil, example=failure, failed_task_count=2)
    group.failed_task_ids.append(evil)
    group.blocked_task_count = 3
    blocked = BlockedTask(task_id=evil, name=evil, lease_build_id=evil)
    blocked.cause = BLOCK_CAUSE_LEASE_HELD
    change = TaskChange(kind=TASK_CHANGE_KIND_ADDED, state=failed)
    compared = CompareBuildsResponse(base_build=build, build=build)
    made = Producer(build_id=str(UUID(int=1)), task_id=str(UUID(int=2)), attempt=1)
    out = shown(
        tables.builds([build]),
        tables.task_states([failed]),
        tables.tasks([task, Task(task_id=evil, params_json=evil)]),
        tables.history([failed]),
        BuildReport(
            build, [group], True, {evil: [blocked]}, [blocked], True, [failed], [], [made], evil
        ),
        TaskReport(task, [failed], True, made, evil),
        Comparison(compared, [change]),
    )
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[red]x[/red]" in out
    assert one_line("a\nb") == "a\\nb"


def test_ids_are_shown_as_far_as_they_tell_rows_apart() -> None:
    ids = ["0192f000-0000-7000-8000-000000000001", "0192f000-0000-7000-8000-000000000002"]
    assert cells.id_lengths(ids[:1], wide=False) == 13
    assert cells.id_lengths(ids, wide=False) == 36
    assert cells.id_lengths([ids[0], "0192f000-0000-7001-8000-000000000001"], wide=False) == 18
    assert cells.id_lengths(ids[:1], wide=True) == 36


@pytest.mark.parametrize("width", [40, 80, 160])
def test_long_names_make_no_row_longer_than_a_line(width: int) -> None:
    why = TaskFailure(kind="builtins.ValueError", message="long\n" * 50)
    states = [
        TaskState(task_id=str(UUID(int=n)), name="long_" * 50, namespace="team", failure=why)
        for n in range(3)
    ]
    builds = [Build(build_id=state.task_id, name=state.name) for state in states]
    long = json.dumps({"p": "x" * 999})
    tasks = [Task(task_id=s.task_id, name=s.name, params_json=long) for s in states]
    wide = width >= 120
    for table in (
        tables.builds(builds, wide=wide),
        tables.task_states(states, wide=wide),
        tables.tasks(tasks, wide=wide),
        tables.history(states, wide=wide),
    ):
        lines = shown(table, width=width).splitlines()
        assert len(lines) == 4
        assert all(len(line) <= width for line in lines)


def test_a_time_out_of_range_is_shown_as_it_came() -> None:
    assert cells.moment(Timestamp(seconds=253402300799)).startswith("9999-12-31")


def test_a_status_of_a_newer_server_is_shown_as_its_number() -> None:
    build = Build(status=77, task_counts=[TaskStatusCount(status=78, count=2)])  # pyright: ignore
    assert cells.build_status(build) == "77"
    assert cells.counts(build.task_counts) == "2 78"


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [(0, ""), (1500, "2 ms"), (2_500_000, "2.5 s"), (150_000_000, "2 min 30 s")],
)
def test_durations_are_in_the_unit_that_suits_them(microseconds: int, text: str) -> None:
    assert cells.duration(microseconds) == text


def test_what_runs_is_shown_with_the_time_that_it_has_taken_so_far() -> None:
    state = TaskState(status=TASK_STATUS_RUNNING)
    assert cells.took(state) == ""
    state.start_time.FromSeconds(int(time.time()) - 7_260)
    assert cells.took(state) == "2 h 1 min"
    state.start_time.FromSeconds(int(time.time()) + 1_000)  # by another clock
    assert cells.took(state) == "0 s"
    build = Build(status=BUILD_STATUS_RUNNING, start_time=state.start_time, duration_us=2_500_000)
    assert cells.took(build) == "2.5 s"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (
            TaskState(status=TASK_STATUS_COMPLETED, attempt=1, duration_us=5_000, progress=0.9),
            "5 ms",
        ),
        (TaskState(status=TASK_STATUS_COMPLETED, attempt=3, duration_us=5_000), "5 ms, attempt 3"),
        (TaskState(status=TASK_STATUS_RUNNING, attempt=2, progress=0.4), "40%, attempt 2"),
        (TaskState(), ""),
    ],
)
def test_how_a_task_goes_is_how_long_how_far_and_at_which_attempt(
    state: TaskState, told: str
) -> None:
    assert cells.course(state) == told


def test_of_numbers_those_that_matter_come_first() -> None:
    counts = [
        TaskStatusCount(status=s, count=n)
        for n, s in enumerate((TASK_STATUS_COMPLETED, TASK_STATUS_FAILED), 1)
    ]
    assert cells.counts(counts) == "2 failed, 1 completed"


def test_json_can_not_control_the_terminal_either(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"é": "\x9b2J\x7f\u202e\x1b[2J\U000e0001\ud800 Ω 🙂"}
    output.print_json(value)
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert not {*"\x9b\x7f\u202e\x1b\U000e0001\ud800"} & {*out}
    assert "é" in out
    assert "Ω 🙂" in out


def luminance(color: Color) -> float:
    """Return the relative luminance as WCAG 2 defines it."""
    parts = [part / 255 for part in color.get_truecolor()]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("style", sorted({*_colours.OF_STATUS.values(), _colours.MUTED}))
def test_every_colour_can_be_read_on_black_and_on_white(style: str) -> None:
    color = Style.parse(style).color
    assert color is not None
    assert color.number is not None
    assert color.number >= 16, "a theme says what the first sixteen are"
    light = luminance(color)
    assert min((light + 0.05) / 0.05, 1.05 / (light + 0.05)) >= 3.8


def test_long_values_are_shown_from_where_they_differ_and_in_their_own_characters() -> None:
    same = "a" * 1000
    difference = IngredientDifference(
        path="text", earlier_json=f'"{same} \\u65e9"', json=f'"{same} \\u665a"'
    )
    told = ExplainTaskResponse(cause=RunCause.RUN_CAUSE_NEW_ID, differences=[difference])
    told.nearest_task.task_id = "5b69e7b6"
    text = shown(explanation.drawn("22721cfd", told))
    assert "早" in text
    assert "晚" in text
    assert text.count("a") < 300


@pytest.mark.parametrize(("width", "told"), [(80, "94684761-f65e  "), (160, f"{UUID(int=5)}  ")])
def test_a_dag_has_whole_ids_where_there_is_room(width: int, told: str) -> None:
    ids = [told.strip(), "22721cfd-fa25"]
    nodes = graph.nodes_of([("fit", "FAILED", i, "3 ms") for i in ids], [])
    assert told in shown(*graph.drawn(nodes, graph.tops(nodes), width))


def test_a_trace_is_a_link_that_is_whole_where_its_text_is_not() -> None:
    console = Console(width=40, force_terminal=True)
    url = "http://jaeger.example.com:16686/trace/{trace_id}"
    with console.capture() as capture:
        console.print(traces.span_of(str(UUID(int=5)), str(UUID(int=6)), 1, url))
    whole = url.format(trace_id=UUID(int=5).hex)
    assert f";{whole}\x1b\\" in capture.get()
    assert f"{whole}, span " in shown(traces.span_of(str(UUID(int=5)), str(UUID(int=6)), 1, url))
