"""Measures every system at the same work, and writes `docs/rivals.md` and its chart.

The first run makes an environment for each system under `.run/`, which needs a package index.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import chart
from environments import InstallError, bin_of
from report import render
from results import Cell
from systems import SYSTEMS, System
from turn import take_turn
from workload import LAYERS

PAGE = Path(__file__).parents[2] / "docs" / "rivals.md"


def install(systems: Sequence[System]) -> tuple[dict[System, Path], dict[str, str]]:
    """Return the `bin` folder of each system, and why others could not be installed."""
    found: dict[System, Path] = {}
    left_out: dict[str, str] = {}
    for system in systems:
        try:
            found[system] = bin_of(system.requirements)
        except InstallError as error:
            left_out[system.requirements[0]] = str(error)
    return found, left_out


def main() -> None:
    arguments = _arguments()
    floor, *others = SYSTEMS
    only = arguments.only or [system.name for system in others]
    chosen = [floor, *(system for system in others if system.name in only)]
    found, left_out = install(chosen)
    results = {system: {name: Cell() for name in system.workloads} for system in found}
    loads: list[float] = []
    for number in range(arguments.rounds):
        loads.append(os.getloadavg()[0])
        print(f"round {number + 1} of {arguments.rounds}, load {loads[-1]:.1f}")
        for system, cells in results.items():
            take_turn(system, found[system], cells, arguments.tasks)
            print(f"  {system.name}: {_last(cells)}", flush=True)
    picture: Path = arguments.page.with_suffix(".svg")
    picture.write_text(chart.svg(results, arguments.tasks))
    page = render(
        results,
        left_out,
        tasks=arguments.tasks,
        layers=LAYERS,
        loads=loads,
        chart=picture.name,
    )
    arguments.page.write_text(page)
    print(page)


def _last(cells: Mapping[str, Cell]) -> str:
    """Return how each cell's last run went, in a line."""
    return ", ".join(
        f"{workload} {cell.failure or f'{cell.samples[-1].run:.4f} s'}"
        for workload, cell in cells.items()
        if cell.failure or cell.samples
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000, help=f"a multiple of {LAYERS}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", metavar="SYSTEM", help="these and the floor")
    parser.add_argument("--page", type=Path, default=PAGE, help="its chart is put beside it")
    arguments = parser.parse_args()
    if arguments.tasks < LAYERS or arguments.tasks % LAYERS:
        parser.error(f"--tasks: {arguments.tasks} is no multiple of {LAYERS}")
    names = [system.name for system in SYSTEMS]
    if unknown := [name for name in arguments.only or () if name not in names]:
        parser.error(f"--only: no {', '.join(unknown)} among: {'; '.join(names)}")
    return arguments


if __name__ == "__main__":
    main()
