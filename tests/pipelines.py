"""The pipelines that the end-to-end tests build, as programs: `python pipelines.py NAME`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import stardag as sd


@sd.task
def number(n: int) -> int:
    return n


@sd.task
def total(values: list[sd.Depends[int]], scale: int = 1) -> int:
    return scale * sum(values)


@sd.task
def failing(value: sd.Depends[int]) -> int:
    raise ValueError(f"broken on purpose at {value}")


@sd.task
def after(value: sd.Depends[int]) -> int:
    return value


@sd.task
def gated(n: int, gate: str) -> int:
    """Run until the file `gate` exists, for at most a minute."""
    deadline = time.monotonic() + 60
    while not Path(gate).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return n


def small() -> sd.TaskStruct:
    return total(values=[number(n=n) for n in range(3)])


def broken() -> sd.TaskStruct:
    return [after(value=failing(value=number(n=1))), total(values=[number(n=2)])]


def waiting() -> sd.TaskStruct:
    gate = sys.argv[2]
    return total(values=[*(number(n=n) for n in range(20)), gated(n=100, gate=gate)])


if __name__ == "__main__":
    pipeline = {"small": small, "broken": broken, "waiting": waiting}[sys.argv[1]]
    summary = sd.build(pipeline(), fail_mode=sd.FailMode.CONTINUE)
    print(summary.build_id, summary.status, summary.counts, sep="\n")
    sys.exit(0 if summary.ok else 1)
