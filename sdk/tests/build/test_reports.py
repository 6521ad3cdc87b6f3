"""What a task says while it runs: its progress and its assets, from wherever it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import worker_tasks as tasks

import stardag as sd
from stardag.build import Executor
from stardag.testing import BuildRecord, builds_on_record

EXECUTORS: dict[str, Callable[[], Executor | None]] = {
    "inline": sd.InlineExecutor,
    "threads": lambda: sd.ThreadExecutor(2),
    "event loop": lambda: None,
    "processes": lambda: sd.ProcessExecutor(1),
}
on_every_executor = pytest.mark.parametrize("kind", EXECUTORS)


def built(task: sd.BaseTask, kind: str = "inline") -> BuildRecord:
    with builds_on_record() as record:
        sd.build(task, executor=EXECUTORS[kind]()).raise_for_status()
    return record


def said(record: BuildRecord, name: str) -> list[list[Any]]:
    return [detail for event, _, *detail in record.events if event == name]


@on_every_executor
def test_progress_is_passed_on_between_start_and_end(kind: str) -> None:
    task = tasks.tells_async() if kind == "event loop" else tasks.tells()
    record = built(task, kind)
    assert said(record, "progressed") == [[1, 0.25, "reading"], [1, 1.0, "done"]]
    names = [name for name, *_ in record.events]
    assert names.index("started") < names.index("progressed") < names.index("completed")


@on_every_executor
def test_assets_are_passed_on_whether_logged_or_returned(kind: str) -> None:
    record = built(tasks.Shows(asynchronous=kind == "event loop"), kind)
    assert said(record, "shown") == [
        [sd.MarkdownAsset("notes", "# It runs")],
        [sd.JsonAsset("result", {"n": 7})],
    ]


def test_progress_is_passed_on_twice_a_second_at_most_and_when_all_is_done() -> None:
    record = built(tasks.tells_often(times=10_000))
    assert [fraction for _, fraction, _ in said(record, "progressed")] == [0.0, 1.0]


def test_progress_beyond_its_bounds_is_moved_to_the_nearer_one() -> None:
    record = built(tasks.tells_oddly(fractions=[-3.0, 4.0]))
    assert [fraction for _, fraction, _ in said(record, "progressed")] == [0.0, 1.0]


def test_an_error_in_registry_assets_is_logged_and_fails_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    record = built(tasks.ShowsBadly())
    assert record.ended == "completed"
    assert "the assets of ShowsBadly() can't be had" in caplog.text
    assert "not today" in caplog.text


def test_outside_of_a_task_there_is_nobody_to_tell() -> None:
    sd.progress(0.5)
    sd.log_asset(sd.MarkdownAsset("notes", "text"))


def test_a_build_that_nobody_follows_asks_for_no_assets() -> None:
    sd.build(tasks.ShowsBadly(), progress=False).raise_for_status()
    assert not tasks.ShowsBadly.asked
