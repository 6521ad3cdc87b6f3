"""The public API as pyright sees it, strictly."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("program.py")
RECIPES = Path(__file__).parents[3] / "docs" / "how-to" / "ops-recipes.md"


def problems(program: str, directory: Path) -> set[tuple[int, str]]:
    """Return the lines, from 0, where pyright finds something in a program, and its rules."""
    (directory / "program.py").write_text(program)
    settings = {"typeCheckingMode": "strict", "reportUnusedExpression": False}
    (directory / "pyrightconfig.json").write_text(json.dumps(settings))
    pyright = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(pyright, cwd=directory, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == 1
    return {
        (problem["range"]["start"]["line"], problem.get("rule", problem["message"]))
        for problem in report["generalDiagnostics"]
    }


def test_types_are_what_they_should_be_and_mistakes_are_found(tmp_path: Path) -> None:
    program = PROGRAM.read_text()
    expected = {
        (number, rule)
        for number, line in enumerate(program.splitlines())
        if (match := re.search(r"# error: ([\w ]+)", line))
        for rule in match[1].split()
    }
    assert problems(program, tmp_path) == expected


def test_the_recipes_for_ops_are_typed_throughout(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", RECIPES.read_text(), re.DOTALL | re.MULTILINE)
    program = "".join(map(code, blocks))
    assert "client.builds.ListBlockedTasks" in program
    found = {(program.splitlines()[line], rule) for line, rule in problems(program, tmp_path)}
    assert not found


def code(block: str) -> str:
    """Return the code of a block, which may be a session with its answers."""
    if not block.startswith(">>>"):
        return block
    prompted = (line for line in block.splitlines() if line.startswith((">>>", "...")))
    return "".join(f"{line[4:]}\n" for line in prompted)
