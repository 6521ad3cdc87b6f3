"""Progress in a real pseudo-terminal: what people see while a build runs, and what is left."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from terminal import Terminal

PROGRAM = """
import os, subprocess, sys, time
import stardag as sd, worker_tasks as tasks

class Chatty(sd.AutoTask[int]):
    def run(self):
        for n in range(60):
            print(f"line {n} " + "x" * (n * 3))
            print(f"error {n}", file=sys.stderr)
            time.sleep(0.01)
        subprocess.run(["echo", "said by a process"], check=True)
        for n in range(20):
            print(f"\\rbar {n * '#'}", end="", flush=True)
            time.sleep(0.05)
        print(" full")
        self.output().save(1)

class Nesting(sd.AutoTask[int]):
    def run(self):
        sd.build(tasks.WaitsForGo()).raise_for_status()
        self.output().save(1)

class Broken(sd.AutoTask[int]):
    def run(self):
        time.sleep(0.6)
        raise ValueError("no\\x1b[2Jrows")

class Unclear(sd.AutoTask[int]):
    def requires(self):
        time.sleep(1)
        raise RuntimeError("what it requires is not clear")
    def run(self):
        pass

class Suspends(sd.AutoTask[int]):
    def run(self):
        yield tasks.WaitsForGo()
        self.output().save(1)

def wide():
    return [tasks.Link(below=tasks.WaitsForGo())] + [tasks.number(n=n) for n in range(200)]

if __name__ == "__main__":
    exec(sys.argv[1])
"""


Start = Callable[..., Terminal]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start programs in terminals, which end with the test."""
    with ExitStack() as stack:

        def start_one(code: str, **options: Any) -> Terminal:
            return stack.enter_context(closing(Terminal(PROGRAM, code, **options)))

        yield start_one


def assert_clean(terminal: Terminal) -> None:
    """Assert that the terminal is as it would be without any display, but for one line."""
    assert terminal.screen.margins is None
    assert "━" not in terminal.shown
    assert not terminal.screen.cursor.hidden
    last = len(terminal.shown.splitlines())
    assert (terminal.screen.cursor.x, terminal.screen.cursor.y) == (0, last)
    assert len(re.findall(r"stardag: build [-0-9a-f]{36} ", terminal.scrolled)) == 1


def bottom_of_region(terminal: Terminal) -> int | None:
    margins = terminal.screen.margins
    return None if margins is None else margins.bottom


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (160, 50)])
def test_a_build_is_drawn_while_it_runs_and_leaves_one_line(
    start: Start, columns: int, lines: int
) -> None:
    terminal = start("sd.build(wide())", columns=columns, lines=lines)
    shown = terminal.show_until("200 of 202", "WaitsForGo()", "1 waits: Link(below=")
    assert re.search(r"^1 running, 1 waiting, 200 completed$", shown, re.M)
    assert terminal.screen.display[-1].startswith("running  WaitsForGo()")
    Path("go").touch()
    assert terminal.finish() == 0
    assert_clean(terminal)
    assert "completed in " in terminal.shown
    assert ": 202 completed" in terminal.shown.replace("\n", "")


def test_who_waits_for_whom_is_drawn(start: Start) -> None:
    terminal = start("sd.build(Suspends())")
    shown = terminal.show_until("suspended")
    assert re.search(r"^suspended  Suspends\(\) +\d s  waits for 1: WaitsForGo\(\)$", shown, re.M)
    assert re.search(r"^running    WaitsForGo\(\) +\d s  1 waits: Suspends\(\)$", shown, re.M)
    Path("go").touch()
    assert terminal.finish() == 0


def test_what_another_build_makes_is_drawn_as_blocked(start: Start) -> None:
    lock = "sd.FileLocks('locks')"
    other = start(f"sd.build(tasks.WaitsForGo(), lock={lock})")
    other.show_until("running  WaitsForGo()")
    terminal = start(f"sd.build(tasks.Link(below=tasks.WaitsForGo()), lock={lock})")
    terminal.show_until("blocked  WaitsForGo()", "another build makes it; 1 wa")
    Path("go").touch()
    assert (other.finish(), terminal.finish()) == (0, 0)
    assert ": 1 completed, 1 reused" in terminal.shown.replace("\n", "")


def test_what_tasks_and_their_processes_print_comes_out_as_without_a_display(start: Start) -> None:
    outputs: list[str] = []
    for progress in (False, True):
        terminal = start(f"sd.build([Chatty(), tasks.number(n={progress:d})], progress={progress})")
        assert terminal.finish() == 0
        outputs.append(terminal.scrolled.partition("\nstardag: build")[0])
        assert ("━" in terminal.written.decode()) is progress
        for path in Path("targets/Chatty").rglob("*.json"):
            path.unlink()
    assert "said by a process" in outputs[0]
    assert outputs[1] == outputs[0]


def test_a_failure_is_drawn_without_what_could_control_the_terminal(start: Start) -> None:
    terminal = start("sd.build([Broken(), tasks.WaitsForGo()], fail_mode=sd.FailMode.CONTINUE)")
    terminal.show_until("failed   Broken()", r"ValueError: no\x1b[2Jrows")
    Path("go").touch()
    assert terminal.finish() == 0
    assert_clean(terminal)
    assert "1 failed" in terminal.shown
    assert terminal.shown.endswith(r"Broken(): ValueError: no\x1b[2Jrows")


def test_after_a_failure_it_says_that_nothing_more_is_started(start: Start) -> None:
    terminal = start("sd.build([Broken(), tasks.WaitsForGo()])")
    terminal.show_until("waits for what runs")
    Path("go").touch()
    assert terminal.finish() == 0


@pytest.mark.parametrize("task", ["Endless", "EndlessAio"])
def test_ctrl_c_leaves_a_clean_terminal(start: Start, task: str) -> None:
    terminal = start(f"sd.build(tasks.{task}())")
    terminal.show_until(f"running  {task}()")
    terminal.press(b"\x03")
    assert terminal.finish() == -signal.SIGINT
    assert_clean(terminal)
    assert re.search(r"^stardag: build \S+ cancelled in ", terminal.shown, re.M)


def test_a_second_ctrl_c_leaves_a_clean_terminal(start: Start) -> None:
    terminal = start("sd.build(tasks.Deaf())")
    terminal.show_until("running  Deaf()")
    terminal.press(b"\x03")
    terminal.show_until("waits for what runs")
    terminal.press(b"\x03")
    assert terminal.finish() == -signal.SIGINT
    assert_clean(terminal)


def test_a_coroutine_that_is_cancelled_twice_leaves_a_clean_terminal(start: Start) -> None:
    terminal = start("import asyncio; asyncio.run(sd.build_aio(tasks.Deaf()))")
    terminal.show_until("running  Deaf()")
    terminal.press(b"\x03")
    terminal.show_until("waits for what runs")
    terminal.press(b"\x03")
    assert terminal.finish() == -signal.SIGINT
    assert terminal.screen.margins is None
    assert "━" not in terminal.shown


def test_sigterm_leaves_a_clean_terminal(start: Start) -> None:
    terminal = start("sd.build(tasks.Endless())")
    terminal.show_until("running  Endless()")
    os.kill(terminal.process.pid, signal.SIGTERM)
    assert terminal.finish() == 128 + signal.SIGTERM
    assert_clean(terminal)


def test_an_exception_leaves_a_clean_terminal(start: Start) -> None:
    terminal = start("sd.build(Unclear())")
    terminal.show_until("looking for what is missing")
    assert terminal.finish() == 1
    assert_clean(terminal)
    assert "RuntimeError: what it requires is not clear" in terminal.shown


@pytest.mark.parametrize("executor", ["None", "sd.ProcessExecutor(1)"])
def test_of_nested_builds_the_outer_is_shown(start: Start, executor: str) -> None:
    task = "Nesting()" if executor == "None" else "tasks.NestsWaiting()"
    terminal = start(f"sd.build({task}, executor={executor})")
    terminal.show_until("1 running", "Nest")
    terminal.read_until(Path("waiting").exists, "the inner build runs nothing")
    Path("go").touch()
    assert terminal.finish() == 0
    assert_clean(terminal)
    assert terminal.written.count(b"WaitsForGo") == 0


def test_builds_one_after_the_other_are_each_shown(start: Start) -> None:
    terminal = start(
        "[sd.build(tasks.Link(below=t)) for t in (tasks.Pauses(n=1), tasks.Pauses(n=2))]"
    )
    assert terminal.finish() == 0
    assert terminal.shown.count("stardag: build") == 2


def test_a_terminal_that_changes_its_size_is_drawn_on_anew(start: Start) -> None:
    terminal = start("sd.build(wide())")
    terminal.show_until("running  WaitsForGo()")
    terminal.resize(100, 30)
    terminal.read_until(lambda: bottom_of_region(terminal) == 26, "no new region")
    assert terminal.screen.display[-1].startswith("running  WaitsForGo()")
    assert terminal.shown.count("WaitsForGo()") == 1
    Path("go").touch()
    assert terminal.finish() == 0
    assert_clean(terminal)


def test_a_terminal_too_small_for_rows_is_left_alone(start: Start) -> None:
    terminal = start("sd.build([Chatty(), tasks.number(n=1)])", lines=2)
    assert terminal.finish() == 0
    assert "━" not in terminal.written.decode()
    assert "stardag: build " in terminal.scrolled


def test_no_color_is_respected(start: Start) -> None:
    coloured, plain = (
        start("sd.build(tasks.WaitsForGo())", **env) for env in ({}, {"NO_COLOR": "1"})
    )
    for terminal in (coloured, plain):
        terminal.show_until("running  WaitsForGo()")
    Path("go").touch()
    assert (coloured.finish(), plain.finish()) == (0, 0)
    colour = re.compile(rb"\x1b\[[0-9;]*3([0-7]|8;5;[0-9]+)m")
    assert colour.search(coloured.written)
    assert not colour.search(plain.written)


def test_lines_are_written_where_the_cursor_can_not_be_placed(start: Start) -> None:
    terminal = start("sd.build(tasks.WaitsForGo())", TERM="dumb")
    terminal.show_until("stardag: 0 of 1 tasks; 1 running; WaitsForGo() running for")
    Path("go").touch()
    assert terminal.finish() == 0
    assert b"\x1b" not in terminal.written
