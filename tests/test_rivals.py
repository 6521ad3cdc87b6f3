"""The harness that measures rivals, on few tasks, with the floor and Stardag only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from measurement import measure
from report import render
from results import Cell
from systems import SYSTEMS, Server, System
from turn import environment, take_turn

RUN = Path(__file__).parents[1] / "benchmarks" / "rivals" / "run.py"
BIN = Path(sys.executable).parent
TASKS = 20
ENDING = Server(("python", "-c", "pass"), {})


def cells(system: System) -> dict[str, Cell]:
    return {workload: Cell() for workload in system.workloads}


def test_a_run_writes_a_row_and_bars_for_each_system(tmp_path: Path) -> None:
    systems = ["loop", "stardag, inline", "stardag, inline, tracked"]
    page = tmp_path / "rivals.md"
    command = [sys.executable, str(RUN), "--tasks", str(TASKS), "--rounds", "1"]
    subprocess.run([*command, "--page", str(page), "--only", *systems[1:]], check=True)
    rows = [line.split(" | ") for line in page.read_text().splitlines() if " ms |" in line]
    assert sorted(row[0].strip("| *") for row in rows) == systems
    assert "What is missing" not in page.read_text()
    assert "remade" not in " ".join(rows[0])
    bars = ElementTree.parse(page.with_suffix(".svg")).findall("{*}rect")
    assert len(bars) == 1 + 2 * 3 * len(systems)  # the ground; run and whole of each workload


def test_an_unknown_system_is_told_with_those_there_are() -> None:
    done = subprocess.run(
        [sys.executable, str(RUN), "--only", "make"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no make among: loop; stardag, inline;" in done.stderr


@pytest.mark.parametrize(
    ("broken", "failures"),
    [
        (
            System("b", "loop", "", settings={"RIVALS_TASKS": "30"}),
            {
                "layers": "wrong values in the last layer",
                "files": "30 files where 20 are wanted, or not the right ones",
                "again": "there are no files to leave",
            },
        ),
        (
            System("b", "no_such", "", workloads=("files", "again")),
            {"files": "exit status 2", "again": "there are no files to leave"},
        ),
        (
            System("b", "loop", "", server=ENDING, workloads=("files", "again")),
            {"files": "its server did not start", "again": "its server did not start"},
        ),
    ],
    ids=["wrong results", "a crash", "no server"],
)
def test_what_fails_is_on_the_page_and_stops_nothing_else(
    broken: System, failures: dict[str, str]
) -> None:
    floor = SYSTEMS[0]
    results = {system: cells(system) for system in (broken, floor)}
    for system in [broken, floor] * 2:
        take_turn(system, BIN, results[system], TASKS)
    for workload, reason in failures.items():
        assert results[broken][workload].failure.startswith(reason)
        assert not results[broken][workload].samples
    page = render(
        {floor: results[floor], broken: results[broken]},
        {"other==1": "no such version"},
        tasks=TASKS,
        layers=10,
        loads=[0.5, 1.5],
        chart="",
    )
    for workload, reason in failures.items():
        assert f"- b, {workload}, failed: {reason}" in page
    assert "- other==1 could not be installed: no such version" in page
    assert str(RUN.parent) not in page
    assert len(results[floor]["again"].samples) == 2


def test_a_file_that_is_written_again_is_found_out(tmp_path: Path) -> None:
    floor, variables = SYSTEMS[0], environment(SYSTEMS[0], BIN, tmp_path, TASKS)
    made = measure(floor, "files", tmp_path, variables, TASKS)
    kept = measure(floor, "again", tmp_path, variables, TASKS)
    (tmp_path / "files" / "7.json").unlink()
    remade = measure(floor, "again", tmp_path, variables, TASKS)
    assert [made.remade, kept.remade, remade.remade] == [False, False, True]
