"""Pages of the documentation whose shell commands are run as a reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent


def blocks(page: str, section: str = "") -> list[str]:
    """Return the commands that a page of docs/, or one section of it, shows: a text a block."""
    text = (ROOT / "docs" / page).read_text()
    if section:
        text = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def said(commands: list[str], directory: Path, settings: dict[str, str], *tools: Path) -> list[str]:
    """Run blocks in one shell, and return what each printed. Fails if a command does.

    `tools` are directories to look for programs in, besides this environment's.
    """
    script = "".join(f"printf '\\0'\n{block}" for block in commands)
    path = os.pathsep.join([*map(str, tools), str(TOOLS), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"exec 2>&1\n{script}"],
        cwd=directory,
        env=os.environ | settings | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.split("\0")[1:]
