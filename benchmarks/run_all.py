"""Runs every benchmark and renders `docs/benchmarks.md`."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"

HEAD = f"""# Benchmarks

Made by `make bench`; medians of five, each beside its floor in the same run, {platform.machine()},
Python {platform.python_version()}. A rate's ratio is the share of the floor that is reached.

| # | figure | value | floor | ratio | reach | holds |
| - | ------ | ----- | ----- | ----- | ----- | ----- |
"""


def rows(script: Path) -> list[str]:
    """Run one benchmark and return its lines of the table."""
    print(f"{script.name} ...", flush=True)
    done = subprocess.run(
        [sys.executable, str(script), "--json"], check=True, capture_output=True, text=True
    )
    found: Any = json.loads(done.stdout.strip().splitlines()[-1])
    figures = cast("list[dict[str, Any]]", found if isinstance(found, list) else [found])
    number = int(script.name[:2])
    return [_row(number, figure) for figure in figures]


def _row(number: int, figure: dict[str, Any]) -> str:
    floor = f"{figure['floor']:,.4g} {figure['unit']}" if figure["floor"] else ""
    ratio = f"{figure['ratio']:.2f}" if figure["ratio"] else ""
    value = f"{figure['value']:,.4g} {figure['unit']}"
    holds = "yes" if figure["holds"] else "no"
    cells = [str(number), figure["figure"], value, floor, ratio, figure["reach"], holds]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    lines = [row for script in sorted(HERE.glob("[0-9]*.py")) for row in rows(script)]
    PAGE.write_text(HEAD + "\n".join(lines) + "\n")
    print(PAGE.read_text())
