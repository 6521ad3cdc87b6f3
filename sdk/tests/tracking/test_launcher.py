"""A sender is started beside a program, and is no concern of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import MakeConfig, sender_pids
from .tasks import run
from .test_tracker import tracker
from .waiting import until

BUILDS = """
import os
import stardag as sd

@sd.task
def number() -> int:
    return 1

sd.build(number(), flush_timeout=0)
try:
    os.waitpid(-1, os.WNOHANG)
    print("has a child")
except ChildProcessError:
    print("has none")
"""


def test_a_program_that_waits_for_all_its_children_does_not_wait_for_a_sender(
    state_dir: Path,
) -> None:
    environment = {"STARDAG_SERVER": "127.0.0.1:1", "STARDAG_STATE_DIR": str(state_dir)}
    done = subprocess.run(
        [sys.executable, "-c", BUILDS],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "has none\n"
    until(lambda: sender_pids(state_dir))


@pytest.mark.parametrize("executable", ["", "/nowhere/python"])
def test_without_an_interpreter_nothing_is_started_and_one_is_told(
    executable: str,
    config: MakeConfig,
    state_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    run(tracker(config("127.0.0.1:1")), 1)
    assert f"no Python to start at '{executable}'" in capsys.readouterr().err
    assert sender_pids(state_dir) == []


def test_a_program_that_is_its_own_interpreter_is_not_started_as_a_sender(
    config: MakeConfig,
    state_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    run(tracker(config("127.0.0.1:1")), 1)
    assert "`stardag sync`" in capsys.readouterr().err
    assert sender_pids(state_dir) == []
