"""The public API as pyright sees it, strictly."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("program.py")


def test_types_are_what_they_should_be_and_mistakes_are_found(tmp_path: Path) -> None:
    shutil.copy(PROGRAM, tmp_path)
    settings = {"typeCheckingMode": "strict", "reportUnusedExpression": False}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    pyright = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(pyright, cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = PROGRAM.read_text().splitlines()
    expected = {
        (number, rule)
        for number, line in enumerate(lines)
        if (match := re.search(r"# error: ([\w ]+)", line))
        for rule in match[1].split()
    }
    found = {
        (problem["range"]["start"]["line"], problem.get("rule", problem["message"]))
        for problem in json.loads(done.stdout)["generalDiagnostics"]
    }
    assert found == expected
