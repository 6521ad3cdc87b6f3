"""One run of one workload: a process, timed, and its results checked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from systems import System
from workload import LAYERS

HERE = Path(__file__).parent
TIMEOUT_SECONDS = 300.0
END_SECONDS = 20.0


class RunError(Exception):
    """A run failed, took too long, or left wrong results; the message is for the page."""


@dataclass(frozen=True)
class Sample:
    """How long one run took, in seconds."""

    run: float
    """From declaring the tasks to the last result; everything imported, services up."""
    whole: float
    """The whole process, from its start to its end."""
    remade: bool = False
    """Whether files were written although they were there."""


def measure(
    system: System, workload: str, folder: Path, variables: Mapping[str, str], tasks: int
) -> Sample:
    """Run one workload in `folder`, `again` where `files` was run, and check its results.

    `variables` are the process's environment, whose `PATH` begins with that of the system.
    Raises `RunError`.
    """
    place = folder / ("files" if workload == "again" else workload)
    before = _states(place)
    python = Path(variables["PATH"].partition(os.pathsep)[0]) / "python"
    adapter = HERE / "adapters" / f"{system.adapter}.py"
    command = [str(python), str(adapter), workload, str(place), system.mode]
    begin = time.perf_counter()
    report = _report(_output(command, variables))
    sample = Sample(report["seconds"], time.perf_counter() - begin)
    if workload == "layers":
        if report["values"] != [2**LAYERS - 1] * (tasks // LAYERS):
            raise RunError("wrong values in the last layer")
        return sample
    numbers = sorted(_numbers(place))
    if numbers != list(range(tasks)):
        raise RunError(f"{len(numbers)} files where {tasks} are wanted, or not the right ones")
    return replace(sample, remade=workload == "again" and _states(place) != before)


def end(process: subprocess.Popen[Any], how: signal.Signals) -> None:
    """End a process that leads a session, and all it has running there."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, how)
    try:
        process.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _output(command: list[str], variables: Mapping[str, str]) -> str:
    """Return what a command printed; raise `RunError` if it failed or took too long."""
    process = subprocess.Popen(
        command,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise RunError(f"took more than {TIMEOUT_SECONDS:g} s") from None
    finally:
        end(process, signal.SIGKILL)
    if process.returncode:
        last = errors.strip().splitlines()[-1:]
        raise RunError(" ".join([f"exit status {process.returncode}", *last]))
    return output


def _report(output: str) -> dict[str, Any]:
    """Return what `workload.main` reported, among whatever the system printed."""
    found = [line for line in output.splitlines() if line.startswith('{"seconds"')]
    if not found:
        raise RunError("it did not report")
    return cast("dict[str, Any]", json.loads(found[-1]))


def _numbers(folder: Path) -> Iterator[int]:
    """Yield the number in each file that a task made, wherever its system puts it."""
    for path in folder.rglob("*.json"):
        found: Any = json.loads(path.read_bytes())
        if isinstance(found, dict) and list(cast("dict[str, Any]", found)) == ["n"]:
            yield found["n"]


def _states(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return by path what changes when a JSON file is written anew."""
    stats = {path: path.stat() for path in folder.rglob("*.json")}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in stats.items()}
