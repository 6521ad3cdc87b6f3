"""What the command tells of builds and tasks that a real server has."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from stardag.cli import output, run
from stardag.config import get_config

from .conftest import Built, Workplace

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
        """Run a command line in this process, which is sooner done."""
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
    assert history.task("failing") not in shown
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


def test_cancelling_what_has_ended_changes_nothing(history: History) -> None:
    done = history.run("builds", "cancel", history.broken.id, "--reason", "late")
    assert done.code == 0
    assert "has ended already: FAILED" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
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


def fields(value: Any) -> Any:
    """Return the names of all fields of a JSON value, the first element standing for a list."""
    if isinstance(value, dict):
        return {name: fields(inner) for name, inner in value.items()}  # pyright: ignore
    if isinstance(value, list):
        return [fields(inner) for inner in value[:1]]  # pyright: ignore
    return None
