"""What every system is given to do, and how its adapter reports.

An adapter is a script, run in its system's environment as `adapter.py <workload> <folder> [mode]`.
It needs the standard library and this module only, besides its system.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

LAYERS = 10
TASKS = int(os.environ.get("RIVALS_TASKS", "1000"))
WIDTH = TASKS // LAYERS
WORKERS = 2


def needs(n: int) -> tuple[int, int] | None:
    """Return the two tasks of the layer below whose values task `n` of the layers needs."""
    if n < WIDTH:
        return None
    below = n - n % WIDTH - WIDTH
    return below + n % WIDTH, below + (n + 1) % WIDTH


def value(*inputs: int) -> int:
    """Return the value of a task of the layers: one more than the sum of what it needs."""
    return 1 + sum(inputs)


EXPECTED = [2**LAYERS - 1] * WIDTH
"""The values of the last layer."""


def write(folder: str, n: int) -> str:
    """Write the JSON file of task `n`, the whole of it or nothing, and return its path."""
    path = f"{folder}/{n}.json"
    with open(f"{path}.partial", "w") as file:  # noqa: PTH123
        json.dump({"n": n}, file)
    os.replace(f"{path}.partial", path)  # noqa: PTH105
    return path


def mode() -> str:
    """Return which of the ways that the system has of running tasks is wanted."""
    return sys.argv[3] if len(sys.argv) > 3 else ""


def main(
    *,
    files: Callable[[str], object],
    layers: Callable[[str], Sequence[int]] | None = None,
    services: AbstractContextManager[object] | None = None,
) -> None:
    """Do the workload that the command line names, and print the seconds it took.

    `layers` returns the values of the last layer; `files` leaves the files in the folder it is
    given. Both declare the tasks and run them. `services` are what the system starts anew for
    each run, such as workers; they are up when the clock starts.
    """
    workload, folder = sys.argv[1:3]
    Path(folder).mkdir(parents=True, exist_ok=True)
    with services or nullcontext():
        begin = time.perf_counter()
        if workload == "layers":
            assert layers is not None
            values = list(layers(folder))
        else:
            files(folder)
            values = []
        took = time.perf_counter() - begin
    print(json.dumps({"seconds": took, "values": values}), flush=True)
