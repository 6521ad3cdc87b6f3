"""How a build is written as lines, and drawn: at any width, whatever its tasks are called."""

from __future__ import annotations

import io
from collections.abc import Sequence
from uuid import UUID

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

import stardag as sd
from stardag.build import ObservedTask
from stardag.build.progress import wording
from stardag.build.progress.lines import Lines
from stardag.build.progress.live import draw
from stardag.build.progress.state import Progress


@sd.task
def fetch(n: int, label: str = "") -> int:
    return n


class Unprintable(sd.AutoTask[int]):
    def run(self) -> None: ...

    def __repr__(self) -> str:
        raise ValueError("no text")


class View:
    """A build in which two tasks wait for each, and one is done."""

    closed = False
    done: ObservedTask | None = None

    def waiting_for(self, task: ObservedTask) -> Sequence[ObservedTask]:
        return [fetch(n=1001), fetch(n=1002)]

    def unmet(self, task: ObservedTask) -> int:
        return 7

    def is_done(self, task: ObservedTask) -> bool:
        return task is self.done


NAMES = {
    "long": "x" * 200,
    "wide": "漢字" * 100,
    "combining": "e\u0301" * 100,
    "control": "\x1b[2J\r\n\x07\u202e" * 20,
    "markup": "[red]" * 30,
    "emoji": "👩‍🔬🚀" * 60,
}


def drawn(progress: Progress, columns: int, most: int = 12, now: float = 100.0) -> list[str]:
    console = Console(file=io.StringIO(), width=columns, force_terminal=True, color_system="256")
    return draw(progress.snapshot(now, first=12), View(), console, most)


def running(count: int, of: int, label: str = "") -> Progress:
    progress = Progress(0)
    for n in range(of):
        progress.pending(fetch(n=n, label=label))
    for n in range(count):
        progress.started(fetch(n=n, label=label), now=n)
    return progress


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("columns", [40, 80, 160])
def test_no_row_is_wider_than_the_terminal_or_controls_it(name: str, columns: int) -> None:
    progress = running(32, of=10_000, label=NAMES[name])
    task = fetch(n=0, label=NAMES[name])
    progress.failed(task, ValueError(NAMES[name]), now=50, will_retry=False)
    rows = drawn(progress, columns)
    assert len(rows) == 12
    for row in rows:
        assert cell_len(Text.from_ansi(row).plain) <= columns
        assert Text.from_ansi(row).plain.isprintable()
    if name == "markup" and columns == 160:
        assert "[red]" in rows[2]


@pytest.mark.parametrize("most", [1, 2, 3, 8, 12])
@pytest.mark.parametrize("of", [0, 1, 10, 10_000])
def test_there_are_never_more_rows_than_there_is_room_for(most: int, of: int) -> None:
    rows = drawn(running(min(of, 32), of=of), 80, most)
    assert 1 <= len(rows) <= most


def test_before_the_tasks_are_known_it_says_so() -> None:
    assert "looking for what is missing" in drawn(running(0, of=0), 80)[0]


def test_no_status_is_crowded_out_by_another() -> None:
    progress = running(32, of=40)
    for n in range(10):
        progress.failed(fetch(n=n), ValueError(), now=40, will_retry=False)
    for n in range(10, 20):
        progress.suspended(fetch(n=n), [fetch(n=1)], now=40)
    progress.blocked(fetch(n=39), now=50)
    words = [Text.from_ansi(row).plain.split()[0] for row in drawn(progress, 80, most=8)[2:]]
    assert words == ["failed"] * 2 + ["blocked"] + ["suspended"] * 2 + ["running"]


def test_no_colour_is_one_that_a_theme_sets() -> None:
    progress = running(4, of=10)
    progress.failed(fetch(n=0), ValueError(), now=40, will_retry=False)
    progress.failed(fetch(n=1), ValueError(), now=40, will_retry=True)
    progress.suspended(fetch(n=2), [fetch(n=9)], now=40)
    progress.blocked(fetch(n=8), now=50)
    styles = [span.style for row in drawn(progress, 80) for span in Text.from_ansi(row).spans]
    colours = [style.color for style in styles if isinstance(style, Style) and style.color]
    assert len({*colours}) >= 4
    assert all(colour.number is not None and colour.number >= 16 for colour in colours)


def test_a_suspended_task_names_what_it_waits_for_yet() -> None:
    View.done = fetch(n=5)
    progress = running(1, of=1)
    progress.suspended(fetch(n=0), [View.done, fetch(n=6)], now=40)
    assert "waits for 7: fetch(n=6" in Text.from_ansi(drawn(progress, 120)[2]).plain


def test_a_task_or_an_error_without_a_text_is_named_by_its_type() -> None:
    assert wording.text_of(Unprintable()) == "Unprintable(no text: ValueError)"
    assert wording.error_text(KeyError("k")) == "KeyError: 'k'"
    assert wording.error_text(ValueError()) == "ValueError"


class Log:
    """What `Lines` writes of one build, at the times that a test says."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._stream = io.StringIO()
        self._lines = Lines(self._stream, View())

    def at(self, now: float) -> list[str]:
        begin = self._stream.tell()
        self._lines.show(self.progress.snapshot(now, first=1))
        return self._stream.getvalue()[begin:].splitlines()

    def end(self, now: float) -> list[str]:
        begin = self._stream.tell()
        snapshot = self.progress.snapshot(now, first=1)
        self._lines.end(snapshot, wording.summary(UUID(int=0), "completed", snapshot))
        return self._stream.getvalue()[begin:].splitlines()


def test_a_log_has_a_line_now_and_then_while_something_changes() -> None:
    log = Log(running(2, of=3))
    assert log.at(5) == [
        "stardag: 0 of 3 tasks; 2 running, 1 waiting; fetch(n=0, label='') running for 5 s; "
        "2 wait: fetch(n=1001, label='')"
    ]
    log.progress.completed(fetch(n=0), now=6)
    assert log.at(14) == []
    (line,) = log.at(15)
    assert line.startswith("stardag: 1 of 3 tasks; 1 running, 1 waiting, 1 completed; about 6 s")
    assert log.at(74) == []
    assert len(log.at(75)) == 1


def test_a_log_has_each_failure_at_once_and_once() -> None:
    log = Log(running(2, of=2))
    log.at(1)
    log.progress.failed(fetch(n=0), ValueError("no\nrows"), now=2, will_retry=False)
    assert log.at(2) == ["stardag: failed: fetch(n=0, label=''): ValueError: no rows"]
    assert log.at(3) == []
    log.progress.failed(fetch(n=1), OSError("gone"), now=4, will_retry=False)
    first, last = log.end(4)
    assert first == "stardag: failed: fetch(n=1, label=''): OSError: gone"
    assert last == (
        "stardag: build 00000000-0000-0000-0000-000000000000 completed in 4.0 s: 2 failed; "
        "fetch(n=0, label=''): ValueError: no rows, and 1 more"
    )
