"""`import stardag` against importing Pydantic and making one model, over a bare interpreter."""

from __future__ import annotations

import os
import subprocess
import sys

from figures import at_most, interleaved, report, seconds

RUNS = 11


def start(code: str) -> float:
    """Return how many milliseconds an interpreter takes to run `code`, byte code cached."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    return seconds(lambda: subprocess.run(command, check=True, env=environment)) * 1e3


ONE_MODEL = "from pydantic import BaseModel\nclass M(BaseModel):\n    a: int"

if __name__ == "__main__":
    start("import stardag")  # compiles what is not compiled yet
    bare, model, ours = interleaved(
        lambda: start("pass"),
        lambda: start(ONE_MODEL),
        lambda: start("import stardag"),
        runs=RUNS,
    )
    report([at_most("import stardag", ours - bare, "ms", 1.3, floor=model - bare, floors=True)])
