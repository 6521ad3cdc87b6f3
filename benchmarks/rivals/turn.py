"""A system's turn: its server is started, then each workload is run once."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from measurement import HERE, RunError, end, measure
from results import Cell
from systems import Server, System

START_SECONDS = 60.0
MEMORY = Path("/dev/shm")


def take_turn(system: System, bin_folder: Path, cells: Mapping[str, Cell], tasks: int) -> None:
    """Add a sample to each of the system's cells, or the reason why there is none.

    A workload that failed is not tried again. Everything is done in a folder of its own, which is
    the home of all processes.
    """
    where = MEMORY if MEMORY.exists() else None  # the system is measured, and not the disk
    with tempfile.TemporaryDirectory(dir=where, ignore_cleanup_errors=True) as name:
        try:
            with _served(system, environment(system, bin_folder, Path(name), tasks)) as variables:
                for workload, cell in cells.items():
                    if workload == "again" and cells["files"].failure:
                        cell.failure = "there are no files to leave"
                    _measure(system, workload, cell, variables, tasks)
        except RunError as error:
            for cell in cells.values():
                cell.failure = cell.failure or str(error)


def _measure(
    system: System, workload: str, cell: Cell, variables: Mapping[str, str], tasks: int
) -> None:
    if cell.failure:
        return
    home = Path(variables["HOME"])
    try:
        cell.samples.append(measure(system, workload, home, variables, tasks))
    except RunError as error:
        here = re.escape(str(HERE.parents[1]))
        cell.failure = re.sub(f"{here}/|{re.escape(str(home))}/", "", str(error))


def environment(system: System, bin_folder: Path, folder: Path, tasks: int) -> dict[str, str]:
    """Return the environment of the system's processes: no setting of the user's reaches them."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # byte code is kept, as users keep it
        if "STARDAG" not in name and name != "PYTHONDONTWRITEBYTECODE"
    }
    return kept | {
        "HOME": str(folder),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(HERE),
        "PYTHONSAFEPATH": "1",  # an adapter has the name of what it imports
        "RIVALS_TASKS": str(tasks),
        **system.settings,
    }


@contextmanager
def _served(system: System, variables: dict[str, str]) -> Generator[dict[str, str]]:
    """Yield `variables` and those that tell where the system's server, if it has one, runs."""
    if system.server is None:
        yield variables
        return
    data = Path(variables["HOME"], "server")
    data.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    filled = {"address": f"127.0.0.1:{port}", "port": str(port), "data": str(data)}
    process = _started(system.server, filled, variables)
    try:
        _wait_for(process, port)
        told = system.server.settings.items()
        yield variables | {name: value.format_map(filled) for name, value in told}
    finally:
        end(process, signal.SIGTERM)


def _started(
    server: Server, filled: Mapping[str, str], variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    program, *arguments = (part.format_map(filled) for part in server.command)
    with Path(filled["data"]).with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            [Path(variables["PATH"].partition(os.pathsep)[0]) / program, *arguments],
            env=variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RunError("its server did not start")
