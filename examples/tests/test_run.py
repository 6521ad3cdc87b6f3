"""`make run`, on a copy of the example: real processes, a real server, another port."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[1]
STARDAG = Path(sys.executable).with_name("stardag")
FEW_TREES = ["--trees", "10"]


@pytest.fixture
def project(tmp_path: Path, address: str) -> Iterator[Path]:
    """Copy the example into an empty repository; its server is ended afterwards."""
    root = tmp_path / "repository"
    without_tests = shutil.ignore_patterns("tests", "__pycache__")
    shutil.copytree(EXAMPLES, root / "examples", ignore=without_tests)
    settings = root / "examples" / "stardag.toml"
    settings.write_text(settings.read_text().replace("127.0.0.1:7465", address))
    yield root
    run(root, "--stop")


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return call(project, sys.executable, "examples/run.py", *arguments)


def call(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with no terminal; nothing of the tests' own settings reaches it."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("STARDAG_", "OTEL_"))}
    return subprocess.run(
        command,
        cwd=directory,
        env=environment | {"STARDAG_SERVER": "127.0.0.1:1", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    assert match, f"no {pattern!r} in:\n{text}"
    return match[1]


def counts(output: str) -> str:
    """Return the numbers of tasks by status that `stardag builds show` printed."""
    return found(r"^tasks +(\S.*?) *$", output.partition("$ stardag builds show")[2])


def test_it_builds_shows_the_history_and_reuses(project: Path, address: str) -> None:
    first = run(project, *FEW_TREES)
    assert first.returncode == 0, first.stderr
    pid = found(rf"^server    {address}, started \(process (\d+)\)$", first.stdout)
    build_id = found(r"^build (\S+) completed in .*: 32 completed$", first.stdout)
    assert found(r"^trace id  (\w+)$", first.stdout) == build_id.replace("-", "")
    report = (project / found(r"^report    (\S+\.md)$", first.stdout)).read_text()
    assert report.startswith("# Benign or malignant?")
    assert counts(first.stdout) == "32 completed"

    again = run(project, "--trees", "11")
    assert again.returncode == 0, again.stderr
    assert f"running already (process {pid})" in again.stdout
    assert build_id in again.stdout, "the list has the first build as well"
    assert counts(again.stdout) == "7 completed, 9 reused"

    command = found(r"^(\(cd examples && .* builds watch .*\))$", again.stdout)
    pasted = call(project, "bash", "-c", f"unset STARDAG_SERVER; {command}")
    assert pasted.returncode == 0, pasted.stderr

    stopped = run(project, "--stop")
    assert (stopped.returncode, stopped.stdout) == (0, f"stopped the server (process {pid})\n")


def test_stopping_what_does_not_run_is_no_error(project: Path) -> None:
    stopped = run(project, "--stop")
    assert (stopped.returncode, stopped.stdout) == (0, "no server is running\n")


def test_a_taken_port_is_one_clear_line(project: Path, address: str) -> None:
    host, _, port = address.partition(":")
    with socket.create_server((host, int(port))):
        refused = run(project, *FEW_TREES)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert re.fullmatch(rf"error: .*{address}.*\n", refused.stderr)
