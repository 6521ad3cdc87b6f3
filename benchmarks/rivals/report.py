"""The page: what was measured, how, and what each system does besides."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from measurement import TIMEOUT_SECONDS
from results import Cell, Results, by_speed
from systems import System

WIDE = 2.0  # the slowest run is shown where it took more than so many medians

HEAD = """# Rivals

The same work by Stardag and by others, in one run, made by `make rivals` (`benchmarks/rivals/`) on
{machine}.

![What {tasks:,} tasks take by each system, on a logarithmic scale]({chart})

Dark: the run. Light: the rest of the process, its start and its end.

- **layers**: {tasks:,} tasks in {layers} layers, each adding up two values of the layer below, in
  memory where the system can. What it takes is what the system itself costs.
- **files**: {tasks:,} independent tasks, each writing a small JSON file.
- **again**: _files_ once more, by a new process, all files being there. _Remade_: the system wrote
  them all again, as it keeps no record, or does not skip what exists.

The **run** is from declaring the first task to the last result, everything imported, services up;
what a system loads late is part of it. The **whole process** is what its user waits for: Python,
imports, and the workers and schedulers that a run starts for itself. A server that outlives runs is
started before, and is in neither.
"""

COLUMNS = """\
| system | layers, a task | files | x loop | files, whole process | x loop | again | again, whole |
| - | -: | -: | -: | -: | -: | -: | -: |
"""

METHOD = """
## Method

- Every number is a median of {rounds}. The slowest run is given where it took more than twice that.
- The machine's load average as the rounds began: {loads}. Where it is above the number of cores,
  other work ran beside: times are longer than they need be, and ratios say more.
- The systems take turns. Each run is a new process in a new folder; each server starts empty.
- All files, those of databases too, are in memory, where the machine has a file system for that:
  what is measured is the systems, and not how fast a disk commits. On a disk, those that keep a
  database take longer.
- Each system has an environment of its own, and is used as its documentation advises, with two
  workers where their number is chosen: there are two cores, which a server shares.
- Results are checked: the values of the last layer, each file and its content, and whether files
  were written again. A run of more than {timeout:g} seconds counts as failed.
- Tasks this small show what a system costs, and nothing of what it is worth. Where tasks take
  minutes, choose by what a system does.

## Systems

| system | versions | how it is used, and what it does besides |
| - | - | - |
"""


def render(
    results: Results,
    left_out: Mapping[str, str],
    *,
    tasks: int,
    layers: int,
    loads: Sequence[float],
    chart: str,
) -> str:
    """Return the page; `left_out` has a reason by requirement.

    `loads` are the load averages as the rounds began; `chart` is the picture's file.
    """
    systems = by_speed(results)
    floor = results[systems[0]]["files"]
    head = HEAD.format(machine=_machine(), tasks=tasks, layers=layers, chart=chart)
    rows = [_row(system, results[system], floor, tasks) for system in systems]
    method = METHOD.format(
        rounds=len(loads),
        loads=", ".join(f"{load:.1f}" for load in loads),
        timeout=TIMEOUT_SECONDS,
    )
    about = [f"| {system.name} | {_versions(system)} | {system.about} |\n" for system in systems]
    return "".join([head, "\n", COLUMNS, *rows, *_missing(results, left_out), method, *about])


def _row(system: System, cells: Mapping[str, Cell], floor: Cell, tasks: int) -> str:
    layers, files, again = (cells.get(name) for name in ("layers", "files", "again"))
    columns = [
        f"**{system.name}**" if system.ours else system.name,
        _time(layers, "run", 1e6 / tasks, "us"),
        _time(files, "run"),
        _ratio(files, floor, "run"),
        _time(files, "whole"),
        _ratio(files, floor, "whole"),
        _time(again, "run") + (", remade" if again and again.remade else ""),
        _time(again, "whole"),
    ]
    return f"| {' | '.join(columns)} |\n"


def _time(cell: Cell | None, which: str, scale: float = 1e3, unit: str = "ms") -> str:
    if cell is None:
        return "none"
    if not cell.measured:
        return "failed"
    median = getattr(cell, which)
    slowest = max(getattr(sample, which) for sample in cell.samples)
    wide = f" (to {_rounded(slowest * scale)})" if slowest > WIDE * median else ""
    return f"{_rounded(median * scale)}{wide} {unit}"


def _ratio(cell: Cell | None, floor: Cell, which: str) -> str:
    if cell is None or not cell.measured or not floor.measured:
        return ""
    return f"{getattr(cell, which) / getattr(floor, which):.1f}"


def _rounded(number: float) -> str:
    """Return it with the three digits that count."""
    return f"{float(f'{number:.3g}'):,.10g}"


def _missing(results: Results, left_out: Mapping[str, str]) -> list[str]:
    failed = [
        f"- {system.name}, {workload}, failed: {cell.failure}\n"
        for system, cells in results.items()
        for workload, cell in cells.items()
        if cell.failure
    ]
    absent = [f"- {name} could not be installed: {why}\n" for name, why in left_out.items()]
    return ["\nWhat is missing:\n\n", *failed, *absent] if failed or absent else []


def _versions(system: System) -> str:
    return ", ".join(system.requirements).replace("==", " ") or "this"


def _machine() -> str:
    described = Path("/proc/cpuinfo")
    found = described.exists() and re.search(r"model name\s*: (.+)", described.read_text())
    model = found.group(1) if found else platform.machine()
    python = platform.python_version()
    return f"{os.cpu_count()} cores of {model}, {platform.system()}, Python {python}"
