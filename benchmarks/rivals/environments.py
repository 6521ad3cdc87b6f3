"""Environments of the systems, made by uv once and kept under `.run/`."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

INDEX_OF = "2026-11-25"
"""What was published later is not looked at: it pins what the systems themselves need."""

CACHE = Path(__file__).parents[2] / ".run" / "rivals"


class InstallError(Exception):
    """A system could not be installed; the message is the installer's last line."""


def bin_of(requirements: tuple[str, ...]) -> Path:
    """Return the `bin` folder of an environment that has `requirements`; makes it if need be.

    No requirements: that of the interpreter that runs this. Raises `InstallError`.
    """
    if not requirements:
        return Path(sys.executable).parent
    key = hashlib.sha256(" ".join((sys.version, INDEX_OF, *requirements)).encode()).hexdigest()[:8]
    folder = CACHE / f"{requirements[0].partition('=')[0]}-{key}"
    done = folder / "installed"
    if not done.exists():
        _uv("venv", "--clear", "--python", sys.executable, str(folder))
        python = str(folder / "bin" / "python")
        options = ("--compile-bytecode", "--exclude-newer", INDEX_OF, "--python", python)
        _uv("pip", "install", *options, *requirements)
        done.touch()
    return folder / "bin"


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1]
        raise InstallError(re.sub(r"https?://\S+", "(the index)", last))
