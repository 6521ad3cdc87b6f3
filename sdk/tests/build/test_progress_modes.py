"""Where progress is shown, and where not: programs whose standard error is no terminal."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from uuid import uuid4

import pytest

from stardag.build import BuildInfo
from stardag.build.progress.display import DISPLAY
from stardag.build.progress.form import Form, choose_form
from stardag.build.progress.observer import ProgressObserver

HERE = Path(__file__).parent

PROGRAM = """
import sys, time
import stardag as sd, worker_tasks as tasks

class Broken(sd.AutoTask[int]):
    n: int
    def run(self):
        time.sleep(0.7)
        raise ValueError(f"no rows in {self.n}\\nat all, password=hunter2")

if __name__ == "__main__":
    exec(sys.argv[1])
    print(*sorted({"rich"} & set(sys.modules)))
"""
SHORT_PROGRAM = """
import sys
import stardag as sd

@sd.task
def number(n: int) -> int:
    return n

exec(sys.argv[1])
print(*sorted({"rich", "asyncio", "stardag.tracking"} & set(sys.modules)))
"""
LONG = "tasks.Pauses(n=1)"
FAILING = "[Broken(n=n) for n in range(3)], fail_mode=sd.FailMode.CONTINUE, max_workers=1"


def run(
    code: str,
    env: Mapping[str, str] | None = None,
    *,
    program: str = PROGRAM,
    stderr: int | IO[str] = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    Path("program.py").write_text(program)
    kept = {k: v for k, v in os.environ.items() if k != "CI"}
    done = subprocess.run(
        [sys.executable, "program.py", code],
        env={**kept, "PYTHONPATH": str(HERE), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_nothing_is_shown_where_nobody_asked_for_it() -> None:
    assert run(f"sd.build({LONG})").stderr == ""


@pytest.mark.parametrize(
    ("option", "env"), [("", {"CI": "true"}), (", progress=True", {}), ("", {"CI": "1"})]
)
def test_a_log_has_a_line_at_the_start_and_one_at_the_end(option: str, env: dict[str, str]) -> None:
    first, last = run(f"sd.build({LONG}{option})", env).stderr.splitlines()
    assert first == "stardag: 0 of 1 tasks; 1 running; Pauses(n=1) running for 1 s"
    assert re.fullmatch(r"stardag: build [-0-9a-f]{36} completed in 1.\d s: 1 completed", last)


def test_a_log_has_a_line_for_each_failure_without_secrets() -> None:
    lines = run(f"sd.build({FAILING})", {"CI": "true"}).stderr.splitlines()
    expected = "ValueError: no rows in {} at all, password=**********"
    failures = [line for line in lines if line.startswith("stardag: failed: ")]
    assert failures == [f"stardag: failed: Broken(n={n}): {expected.format(n)}" for n in range(3)]
    assert lines[-1].endswith(f"3 failed; Broken(n=0): {expected.format(0)}, and 2 more")


@pytest.mark.parametrize(
    ("option", "env"),
    [
        (", progress=False", {"CI": "true"}),
        ("", {"CI": "true", "STARDAG_QUIET": "true"}),
        ("", {"CI": "false"}),
    ],
)
def test_it_can_be_silenced(option: str, env: dict[str, str]) -> None:
    assert run(f"sd.build({LONG}{option})", env).stderr == ""


@pytest.mark.parametrize("option", ["", ", progress=True"])
def test_a_short_build_shows_and_imports_nothing(option: str) -> None:
    done = run(f"sd.build(number(n=1){option})", program=SHORT_PROGRAM)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_lines_need_no_rich() -> None:
    assert "rich" not in run(f"sd.build({LONG}, progress=True)").stdout


def test_a_nested_build_adds_nothing_to_the_log() -> None:
    code = "Path('go').touch(); sd.build(tasks.Link(below=tasks.NestsPausing()))"
    lines = run(f"from pathlib import Path; {code}", {"CI": "true"}).stderr.splitlines()
    assert len(lines) == 2
    assert "NestsPausing" in lines[0]


def test_a_build_goes_on_when_nobody_can_listen() -> None:
    with Path("/dev/full").open("w") as full:
        run(f"sd.build({LONG}, progress=True).raise_for_status()", stderr=full)
    run(f"sys.stderr.close(); sd.build({LONG}, progress=True).raise_for_status()")
    run(f"sys.stderr = None; sd.build({LONG}, progress=True).raise_for_status()")


def test_a_build_is_recorded_and_shown_at_once() -> None:
    code = "from stardag.testing import builds_on_record\nwith builds_on_record() as record: "
    code += f"sd.build({LONG}, progress=True)\nprint(record.ended)"
    done = run(code)
    assert done.stdout.startswith("completed")
    assert len(done.stderr.splitlines()) == 2


def test_a_fault_of_its_own_ends_the_display_and_nothing_else() -> None:
    class Unclear:
        @property
        def closed(self) -> bool:
            raise RuntimeError("a fault")

    stream = io.StringIO()
    observer = ProgressObserver(Form.LINES, stream)
    observer.build_started(BuildInfo(uuid4(), [], view=Unclear()))  # pyright: ignore[reportArgumentType]
    assert DISPLAY.locked()
    assert observer._thread is not None
    observer._thread.join()
    assert stream.getvalue() == ("stardag: progress is shown no more: RuntimeError('a fault')\n")
    observer.build_ended("completed", "")
    assert not DISPLAY.locked()


def test_what_is_no_file_is_no_terminal() -> None:
    class Pretends:
        def isatty(self) -> bool:
            return True

    assert choose_form(None, Pretends(), {"TERM": "xterm"}) is None  # pyright: ignore[reportArgumentType]
