"""`stardag build` where it needs no server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import stardag as sd
from stardag._errors import ConfigError
from stardag.cli.build.parameters import make_task
from stardag.cli.build.reference import find_tasks
from stardag.cli.pairs import split_pairs

STARDAG = Path(sys.executable).with_name("stardag")

PIPELINE = """
import pathlib
import time
import stardag as sd

sd.namespace("cli_build", __name__)


@sd.task
def number(n: int) -> int:
    print("making", n)
    return n


@sd.task
def total(values: list[sd.Depends[int]], scale: int = 1) -> int:
    return scale * sum(values)


@sd.task
def broken(value: sd.Depends[int]) -> int:
    raise ValueError("on purpose")


@sd.task
def endless() -> int:
    pathlib.Path("begun").touch()
    while True:
        sd.checkpoint()
        time.sleep(0.01)


def nightly():
    return [total(values=[number(n=1), number(n=2)])]


def failing():
    return broken(value=number(n=3))


one = number(n=1)
several = {"a": number(n=1), "b": [number(n=2)]}
nothing = None
text = "no task"
"""


@pytest.fixture
def pipeline(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the working directory."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (isolated / "cli_build_pipeline.py").write_text(PIPELINE)
    return "cli_build_pipeline"


def stardag(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([STARDAG, *arguments], capture_output=True, text=True, check=False)


def test_a_task_type_is_built_with_its_parameters_and_then_reused(pipeline: str) -> None:
    command = ("build", f"{pipeline}:number", "--param", "n=7", "--json")
    built = stardag(*command)
    assert built.returncode == 0
    assert built.stderr == "making 7\n", "what tasks print is not among the JSON"
    assert json.loads(built.stdout)["counts"]["completed"] == 1
    assert json.loads(stardag(*command).stdout)["counts"]["reused"] == 1


def test_a_build_that_fails_says_what_failed_and_exits_with_1(pipeline: str) -> None:
    built = stardag("build", f"{pipeline}:failing", "--json")
    assert built.returncode == 1
    summary = json.loads(built.stdout)
    (failure,) = summary["failures"]
    assert summary["status"] == "failed"
    assert (failure["kind"], failure["message"]) == ("ValueError", "on purpose")
    told = stardag("build", f"{pipeline}:failing")
    assert told.returncode == 1
    assert "failed   broken(value=number(...)): ValueError: on purpose" in told.stdout
    assert 'raise ValueError("on purpose")' in told.stderr


def test_an_interrupted_build_exits_with_130(pipeline: str, isolated: Path) -> None:
    command = [STARDAG, "build", f"{pipeline}:endless"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as building:
        while not (isolated / "begun").exists() and building.poll() is None:
            time.sleep(0.02)
        building.send_signal(signal.SIGINT)
        building.communicate(timeout=60)
    assert building.returncode == 130


def test_a_dry_run_tells_what_would_run_and_why_and_runs_nothing(
    pipeline: str, isolated: Path
) -> None:
    (made,) = find_tasks(f"{pipeline}:one", {})
    sd.build(made)
    plan = json.loads(stardag("build", f"{pipeline}:nightly", "--dry-run", "--json").stdout)
    assert plan["counts"] == {"run": 2, "reuse": 1}
    told = {each["task"]: each for each in plan["tasks"]}
    total = told["total(values=[number(...), number(...)], scale=1)"]
    assert (told["number(n=1)"]["action"], told["number(n=1)"]["reason"]) == (
        "reuse",
        "its output is there",
    )
    assert (told["number(n=2)"]["action"], told["number(n=2)"]["reason"]) == (
        "run",
        "its output is missing",
    )
    assert told["number(n=2)"]["needed_by"] == [total["task_id"]]
    assert not Path(total["output_uri"]).exists()
    assert len([p for p in (isolated / "targets").rglob("*") if p.is_file()]) == 1


@pytest.mark.parametrize(
    ("attribute", "count"), [("one", 1), ("several", 2), ("nightly", 1), ("failing", 1)]
)
def test_tasks_nestings_of_tasks_and_functions_can_be_named(
    pipeline: str, attribute: str, count: int
) -> None:
    assert len(find_tasks(f"{pipeline}:{attribute}", {})) == count


@pytest.mark.parametrize(
    ("reference", "parameters", "message"),
    [
        ("{}.py", {}, "not of the form module:attribute"),
        ("{}:numbr", {}, "has no 'numbr'; did you mean 'number'?"),
        ("{}:tots_of_it", {}, "has no 'tots_of_it'; to build, it has total, "),
        ("json:zzz", {}, "json has no 'zzz'; to build, it has "),
        ("no_such_module:x", {}, "there is no module 'no_such_module': it must be installed, or"),
        ("{}:text", {}, "is no task type, no task, no nesting of tasks"),
        ("{}:nothing", {}, "it is, or returned, None"),
        ("{}:one", {"n": "2"}, "--param is for a task type, and {}:one is a task"),
        ("{}:sd.AutoTask", {}, "is abstract: derive a class from it"),
        ("{}:sd.namespace", {}, "is a function that is called without arguments"),
    ],
)
def test_what_can_not_be_built_is_told(
    pipeline: str, reference: str, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        find_tasks(reference.format(pipeline), parameters)
    assert message.format(pipeline) in str(error.value)


def test_a_module_that_imports_what_is_not_there_fails_as_python_does(isolated: Path) -> None:
    (isolated / "cli_build_halfway.py").write_text("import no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        find_tasks("cli_build_halfway:x", {})


@sd.task(namespace="cli_parameters")
def varied(
    count: int, name: str = "", rates: tuple[float, ...] = (), deep: dict[str, int] | None = None
) -> int:
    return count


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ({"count": "5"}, {"count": 5}),
        ({"count": "5", "name": "5"}, {"name": "5"}),
        ({"count": "5", "name": '"a"'}, {"name": '"a"'}),
        ({"count": "5", "rates": "[0.5, 1]"}, {"rates": (0.5, 1.0)}),
        ({"count": "5", "deep": '{"a": 1}'}, {"deep": {"a": 1}}),
        ({"count": "5", "version": "2"}, {"version": "2"}),
    ],
)
def test_a_parameter_is_read_as_text_and_else_as_json(
    texts: dict[str, str], values: dict[str, Any]
) -> None:
    assert make_task(varied, texts) == varied(**{"count": 5, **values})


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, "count: it is required; add --param count=..."),
        ({"cuont": "1"}, "has no parameter 'cuont'; did you mean 'count'?"),
        ({"count": "many"}, "count: Input should be a valid integer"),
        ({"count": "many"}, ", not 'many'"),
        ({"count": "1", "rates": "[0.5, x]"}, "rates: "),
    ],
)
def test_a_wrong_parameter_is_named(texts: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        make_task(varied, texts)
    assert message in str(error.value)


@pytest.mark.parametrize("texts", [["n"], ["=1"], ["n=1", "n=2"]])
def test_parameters_are_pairs_each_given_once(texts: list[str]) -> None:
    with pytest.raises(ConfigError, match="--param"):
        split_pairs("--param", texts)
