"""What the command tells of builds and tasks that a real server has."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch
from uuid import UUID

import pytest
from support.waiting import until

from stardag.cli import output, run
from stardag.config import get_config
from stardag.telemetry.ids import attempt_span_id
from stardag.v1.build_pb2 import Build
from stardag.v1.build_service_pb2 import FailureGroup, TaskChange, TaskChangeCount
from stardag.v1.registry_service_pb2 import ExplainTaskResponse, LineageNode, Producer
from stardag.v1.task_pb2 import Task, TaskState

from .conftest import STARDAG, Built, Workplace, finished

UNKNOWN = "0192f000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Done:
    """What a command that has ended said."""

    code: str | int | None
    out: str
    err: str


class History:
    """A workplace in which some builds have been made."""

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self.small: Built = place.build("small")
        self.broken: Built = place.build("broken")

    def run(self, *arguments: str) -> Done:
        """Run a command line, in this process where it can be: that is sooner done."""
        if arguments[:2] == ("tasks", "check"):  # which is about the types of its own process
            ended = self.place.stardag(*arguments)
            return Done(ended.returncode, ended.stdout, ended.stderr)
        out, err = io.StringIO(), io.StringIO()
        with patch.dict(os.environ, self.place.settings(), clear=True), redirect_stdout(out):
            get_config.cache_clear()
            output.console.cache_clear()
            with redirect_stderr(err), contextlib.chdir(self.place.directory):
                try:
                    code = run(arguments)
                except SystemExit as exit:
                    code = exit.code
        get_config.cache_clear()
        output.console.cache_clear()
        return Done(code, out.getvalue(), err.getvalue())

    def says(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.code == 0, done.err
        return done.out

    def reads(self, *arguments: str) -> Any:
        return json.loads(self.says(*arguments, "--json"))

    def refuses(self, code: int, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.code == code, done.out + done.err
        assert done.out == ""
        return done.err

    def task(self, name: str) -> str:
        tasks = self.reads("builds", "show", self.broken.id)["tasks"]
        return next(task["task_id"] for task in tasks if task["name"] == name)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    place = Workplace(tmp_path_factory.mktemp("place"))
    with place.server:
        yield History(place)
    place.end_senders()


def builds(history: History, *options: str) -> list[str]:
    return [build["build_id"] for build in history.reads("builds", "list", *options)]


def test_builds_are_listed_by_what_they_are(history: History) -> None:
    small, broken = history.small.id, history.broken.id
    assert builds(history) == [broken, small]
    assert builds(history, "--status", "failed", "--status", "RUNNING") == [broken]
    assert builds(history, "--name", "total", "--since", "1h") == [small]
    assert builds(history, "--filter", 'name ~ "^a" OR name = "total"', "--since", "1h") == [
        broken,
        small,
    ]
    assert builds(history, "--order-by", "start_time") == [small, broken]
    assert builds(history, "--label", "team=search") == []
    assert builds(history, "--since", "2100-01-01") == []


def test_a_list_that_is_cut_says_so_apart_from_its_output(history: History) -> None:
    done = history.run("builds", "list", "--limit", "1", "--json")
    assert len(json.loads(done.out)) == 1
    assert "more than these 1; --limit" in done.err


def test_a_build_is_meant_by_the_beginning_of_its_id(history: History) -> None:
    small = history.small.id
    for text in (small[:23], small[:20].upper(), small.replace("-", "")[:20], small):
        assert history.reads("builds", "show", text)["build"]["build_id"] == small
    assert small in history.refuses(2, "builds", "show", small[:4])
    assert "begins with ffff" in history.refuses(1, "builds", "show", "ffff")
    assert "4 or more characters" in history.refuses(2, "builds", "show", "abc")


def test_a_shell_completes_ids_from_what_the_service_has(history: History) -> None:
    build, task = history.small.id, history.task("failing")
    for beginning in (build[:20], ""):
        assert f"{build}\tCOMPLETED " in history.says("__complete", "builds", "watch", beginning)
    for command in (["targets", "verify"], ["tasks", "check"], ["tasks", "why", "--build"]):
        assert f"{build}\tCOMPLETED " in history.says("__complete", *command, build[:20])
    assert f"{task}\tFAILED failing" in history.says("__complete", "tasks", "why", task[:2])
    assert build not in history.says("__complete", "builds", "show", history.broken.id)


def test_a_failed_build_is_shown_with_its_failure_first(history: History) -> None:
    text = history.says("builds", "show", "latest")
    told = [
        f"FAILED  {history.broken.id}  after",
        "1 task failed: ValueError: broken on purpose at 1",
        f"failing {history.task('failing')}",
        f"after {history.task('after')}",  # which it holds up
        "span ",
        "raise ValueError",
        "1 failed, 1 skipped",
        "└─ failing  FAILED",
    ]
    places = [text.index(each) for each in told]
    assert places == sorted(places)


def test_the_tasks_of_a_build_are_listed_by_what_became_of_them(history: History) -> None:
    shown = history.says("builds", "show", "latest", "--status", "skipped")
    assert history.task("after") in shown
    assert history.task("total") not in shown
    failed = history.says("builds", "show", "latest", "--status", "failed")
    assert "ValueError: broken on purpose at 1" in failed
    some = history.reads("builds", "show", "latest", "--filter", 'name = "failing"')
    assert [task["name"] for task in some["tasks"]] == ["failing"]
    assert some["failures"][0]["failed_task_count"] == "1"


def test_two_builds_are_compared(history: History) -> None:
    again = history.place.build("small")
    told = history.reads("builds", "compare", history.small.id, again.id)
    kinds = {change["kind"] for change in told["changes"]}
    assert kinds == {"TASK_CHANGE_KIND_REMOVED", "TASK_CHANGE_KIND_STATUS"}
    shown = history.says("builds", "compare", history.small.id, again.id)
    assert "3 gone" in shown
    assert "REUSED" in shown


def test_what_went_wrong_comes_first_in_a_comparison(history: History) -> None:
    shown = history.says("builds", "compare", history.small.id, history.broken.id, "--limit", "1")
    assert shown.splitlines()[-1].split() == ["new", "failing", history.task("failing"), "FAILED"]


def test_cancelling_what_has_ended_changes_nothing(history: History) -> None:
    done = history.run("builds", "cancel", history.broken.id, "--reason", "late")
    assert done.code == 0
    assert "has ended already: FAILED" in done.err


def test_tasks_are_listed_by_what_they_are(history: History) -> None:
    def listed(*options: str) -> set[str]:
        return {task["name"] for task in history.reads("tasks", "list", *options)}

    assert listed() == {"number", "total", "failing", "after"}
    assert listed("--status", "failed", "--status", "skipped") == {"failing", "after"}
    assert listed("--param", "n=1") == {"number"}
    assert listed("--param", "scale=1", "--name", "number") == set()
    assert listed("--filter", 'params.scale = 1 OR name ~ "^a"', "--since", "1h") == {
        "total",
        "after",
    }
    assert "n=1" in history.says("tasks", "list", "--param", "n=1")


def test_a_task_is_shown_with_its_history(history: History) -> None:
    task = history.task("failing")
    shown = history.says("tasks", "show", task[:8])
    for told in (f"FAILED  {task}  failing", "raise ValueError", history.broken.id, "value = "):
        assert told in shown
    read = history.reads("tasks", "show", task)
    assert [state["build_id"] for state in read["history"]] == [history.broken.id]
    assert history.reads("tasks", "show", "latest")["task"]["task_id"]


def test_what_was_reused_is_told_with_what_made_it(history: History) -> None:
    task, small = history.task("number"), history.small.id
    again = history.place.build("small")
    shown = history.says("builds", "show", again.id)
    assert f"reused from  build {small} (1 task)" in shown
    read = history.reads("builds", "show", again.id)
    assert [(made["build_id"], made["attempt"]) for made in read["producers"]] == [(small, 1)]
    assert f"made by      build {small}, attempt 1" in history.says("tasks", "show", task)


def test_a_task_is_shown_with_the_span_of_its_latest_attempt(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(history.place.extra, "STARDAG_TRACE_URL", "http://jaeger/trace/{trace_id}")
    task, build = UUID(history.task("failing")), UUID(history.broken.id)
    span = attempt_span_id(build, task, 1)
    assert f"trace        http://jaeger/trace/{build.hex}, span {span:016x}" in history.says(
        "tasks", "show", str(task)
    )


def test_a_filter_is_refused_at_the_place_where_it_was_written_wrong(history: History) -> None:
    for options in ((), ("--since", "1h"), ("--name", "total", "--label", "a=b")):
        refused = history.refuses(2, "builds", "list", "--filter", 'name ~ "a" AND odd', *options)
        assert "filter, at 18:" in refused


def test_why_a_task_ran_is_told_by_what_sets_it_apart(history: History) -> None:
    task = history.task("total")
    shown = history.says("tasks", "why", task, "--build", history.broken.id)
    assert "Its id is new" in shown
    assert "values[1]" in shown
    read = history.reads("tasks", "why", task)
    assert read["cause"] == "RUN_CAUSE_NEW_ID"
    skipped = history.task("after")
    assert f"`stardag tasks show {skipped}`" in history.says("tasks", "why", skipped)


def test_lineage_is_told_in_both_directions(history: History) -> None:
    task = history.task("failing")
    shown = history.says("tasks", "lineage", task)
    assert shown.index("depends on") < shown.index("number") < shown.index("needed by")
    assert shown.index("needed by") < shown.index("after  SKIPPED")
    read = history.reads("tasks", "lineage", task, "--direction", "downstream")
    names = [node["task"]["name"] for node in read["nodes"]]
    assert names == ["failing", "after"]
    assert read["edges"] == [{"upstream_task_id": task, "task_id": history.task("after")}]


MODULE = """
import stardag as sd

@sd.task
def number(n: int) -> int:
    return n

@sd.task
def total(values: list[sd.Depends[int]], scale: int = 1, offset: int = 0) -> int:
    return sum(values)

@sd.task
def failing(price: sd.Depends[int]) -> int:
    return price

def wanted():
    return [total(values=[number(n=0), number(n=1)]), number(n=0)]

nothing = 7
"""


def test_a_check_finds_what_no_longer_holds(history: History) -> None:
    assert "all of it holds" in history.says("tasks", "check", history.small.id)
    (history.place.directory / "shop.py").write_text(MODULE)
    task = next(t for t in history.reads("tasks", "list", "--param", "n=0"))
    output = Path(task["output_uri"].removeprefix("file://"))
    content = output.read_bytes()
    output.unlink()
    arguments = ("tasks", "check", history.broken.id, "--module", "shop", "--json")
    of_build = history.place.stardag(*arguments)
    of_module = history.place.stardag("tasks", "check", "shop:wanted", "--json")
    output.write_bytes(content)
    again = history.place.build("small")  # which only finds `total`, and does not have its inputs
    of_one = history.place.stardag("tasks", "check", again.id, "--module", "shop", "--json")
    assert [f["problem"] for f in json.loads(of_one.stdout)["findings"]] == ["ID_CHANGED"]
    assert (of_build.returncode, of_module.returncode) == (1, 1)
    found = {f["name"]: f for f in json.loads(of_build.stdout)["findings"]}
    assert found["total"]["problem"] == "ID_CHANGED"
    assert "offset was missing and is 0" in found["total"]["message"]
    assert found["failing"]["problem"] == "UNREADABLE"
    assert "price" in found["failing"]["message"]
    assert set(found) == {"total", "failing"}  # `after` is of a type that is not known
    problems = {(f["name"], f["problem"]) for f in json.loads(of_module.stdout)["findings"]}
    assert problems == {("total", "NOT_RECORDED"), ("number", "OUTPUT_MISSING")}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["tasks", "list", "--param", "n"], 2, "--param n=value"),
        (["tasks", "show", "nonsense"], 2, "`stardag tasks list` shows them"),
        (["tasks", "show", UNKNOWN], 1, f"no task {UNKNOWN}"),
        (["tasks", "why", UNKNOWN], 1, f"no task {UNKNOWN}"),
        (["tasks", "lineage", UNKNOWN], 1, f"no task {UNKNOWN}"),
        (["tasks", "check", "no_such_module:x"], 2, "there is no module"),
        (["tasks", "check", "json:nope"], 2, "json has no 'nope'"),
        (["tasks", "check", "math:pi"], 2, "is no task type"),
        (["builds", "list", "--filter", "name = "], 2, "filter, at 7"),
        (["builds", "list", "--order-by", "host"], 2, "host"),
        (["builds", "list", "--since", "yesterday"], 2, "2026-01-31"),
        (["builds", "list", "--status", "odd"], 2, "exited-early"),
        (["builds", "compare", "latest", UNKNOWN], 1, f"no build {UNKNOWN}"),
        (["builds", "cancel", UNKNOWN], 1, f"no build {UNKNOWN}"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(
    history: History, arguments: list[str], code: int, message: str
) -> None:
    assert message in history.refuses(code, *arguments)


SHAPES: dict[str, Any] = {
    "builds list": [Build],
    "builds show BUILD": {
        "build": Build,
        "failures": [FailureGroup],
        "tasks": [TaskState],
        "producers": [Producer],
    },
    "builds compare BASE BUILD": {
        "base_build": Build,
        "build": Build,
        "counts": [TaskChangeCount],
        "changes": [TaskChange],
    },
    "builds cancel BUILD": Build,
    "tasks list": [Task],
    "tasks show TASK": {"task": Task, "history": [TaskState], "producers": [Producer]},
    "tasks why TASK": ExplainTaskResponse,
    "tasks lineage TASK": {
        "nodes": [LineageNode],
        "edges": [{"upstream_task_id": None, "task_id": None}],
    },
    "tasks check BUILD": {"tasks": None, "outputs": None, "ids": None, "notes": [], "findings": []},
}


@pytest.mark.parametrize("command", SHAPES)
def test_json_has_the_fields_that_are_promised_for_it(history: History, command: str) -> None:
    given = {"BUILD": history.broken.id, "BASE": history.small.id, "TASK": history.task("total")}
    read = history.reads(*(given.get(word, word) for word in command.split()))
    assert_shape(read, SHAPES[command])
    promised = Path(__file__).parents[1].joinpath("docs/cli.md").read_text()
    (row,) = [line for line in promised.splitlines() if line.startswith(f"| `{command}` ")]
    shape = SHAPES[command]
    names = list(read) if isinstance(shape, dict) else [message_of(shape).DESCRIPTOR.name]
    assert all(f"`{name}`" in row for name in names)


def message_of(shape: Any) -> Any:
    return cast("list[Any]", shape)[0] if isinstance(shape, list) else shape


def assert_shape(read: Any, shape: Any) -> None:
    """Assert that a JSON value has exactly these members, or all that a message has."""
    if isinstance(shape, dict):
        members = cast("dict[str, Any]", shape)
        assert list(read) == list(members)
        for name, inner in members.items():
            assert_shape(read[name], inner)
    elif isinstance(shape, list):
        assert isinstance(read, list)
        for inner in cast("list[Any]", shape):
            for item in cast("list[Any]", read):
                assert_shape(item, inner)
    elif shape is not None:
        always = {field.name for field in shape.DESCRIPTOR.fields if not field.has_presence}
        assert always <= set(read) <= {field.name for field in shape.DESCRIPTOR.fields}


def test_a_watch_survives_the_server_and_sees_a_build_cancelled(workplace: Workplace) -> None:
    builder = workplace.start_build("stopped")
    until(workplace.gate.exists, "the task to begin")
    until(lambda: workplace.read("builds", "list"), "the build to be known")
    watch = subprocess.Popen(
        [STARDAG, "builds", "watch", "latest", "--json"],
        env=workplace.settings(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout is not None
    first = json.loads(watch.stdout.readline())
    assert first["build"]["status"] == "BUILD_STATUS_RUNNING"
    workplace.server.kill()
    workplace.server.start()
    cancelled = workplace.stardag("builds", "cancel", "latest", "--reason", "wrong data")
    assert "was asked to stop" in cancelled.stdout, cancelled.stderr
    assert finished(builder).status == "cancelled"
    lines, _ = watch.communicate(timeout=60)
    last = [json.loads(line) for line in lines.splitlines()][-1]
    assert last["build"]["status"] == "BUILD_STATUS_CANCELLED"
    assert last["build"]["cancel_reason"] == "wrong data"
    assert watch.returncode == 1


@pytest.mark.parametrize(
    ("in_terminal", "settings"), [(False, {"FORCE_COLOR": "1"}), (True, {"TERM": "dumb"})]
)
def test_a_watch_prints_lines_where_nothing_can_be_drawn_over(
    history: History, in_terminal: bool, settings: dict[str, str]
) -> None:
    reading, writing = pty.openpty() if in_terminal else os.pipe()
    subprocess.run(
        [STARDAG, "builds", "watch", history.small.id],
        env={**history.place.settings(), **settings},
        stdout=writing,
        timeout=60,
        check=True,
    )
    shown = os.read(reading, 65_536).decode()
    os.close(writing)
    os.close(reading)
    assert "\x1b" not in shown
    assert shown.splitlines()[-1].startswith(f"build {history.small.id} COMPLETED ")
