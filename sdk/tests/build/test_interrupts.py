"""Ctrl-C and SIGTERM, sent to real processes that build."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).parent

PROGRAM = """
import asyncio, sys
from pathlib import Path
import stardag as sd, worker_tasks as tasks
from stardag.testing import builds_on_record

def build(kind, task):
    match kind:
        case "threads": sd.build([task, tasks.number(n=1)])
        case "processes": sd.build(task, executor=sd.ProcessExecutor(1))
        case "aio": asyncio.run(sd.build_aio(task))
        case "sequential": sd.build_sequential(task)

if __name__ == "__main__":
    with builds_on_record() as record:
        try:
            build(sys.argv[1], getattr(tasks, sys.argv[2])())
        finally:
            Path("ended").write_text(str(record.ended))
            cancelled = {type(t).__name__ for t in record.tasks("cancelled")}
            Path("cancelled").write_text(" ".join(sorted(cancelled)))
"""


def start(kind: str, task: str) -> subprocess.Popen[bytes]:
    Path("program.py").write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, "program.py", kind, task],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    for _ in range(3000):
        if Path("sleeping").exists():
            return process
        threading.Event().wait(0.01)
    raise AssertionError("the task did not start")


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("threads", "Endless"),
        ("threads", "EndlessAio"),
        ("aio", "EndlessAio"),
        ("aio", "Endless"),
        ("processes", "Endless"),
        ("processes", "EndlessAio"),
        ("sequential", "Endless"),
    ],
)
def test_ctrl_c_ends_a_build_politely_and_on_record(kind: str, task: str) -> None:
    process = start(kind, task)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, workers and all
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT, errors.decode()
    assert Path("ended").read_text() == "cancelled"
    assert Path("cancelled").read_text() == task
    assert Path("cleaned-up").exists()


@pytest.mark.parametrize("kind", ["threads", "processes", "sequential"])
def test_sigterm_does_the_same_and_says_so_by_its_exit_code(kind: str) -> None:
    process = start(kind, "Endless")
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM, errors.decode()
    assert Path("ended").read_text() == "cancelled"
    assert Path("cleaned-up").exists()


@pytest.mark.parametrize("kind", ["threads", "aio", "processes"])
def test_a_second_ctrl_c_waits_for_nothing(kind: str) -> None:
    process = start(kind, "Deaf")
    os.killpg(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT, errors.decode()
    if kind != "aio":  # the thread that builds has no time to say so
        assert Path("ended").read_text() == "cancelled"
