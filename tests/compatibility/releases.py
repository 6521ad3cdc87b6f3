"""Published releases as black boxes: installed, run, and asked what they make of the programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import pydantic

RELEASES = ("0.1.0", "0.1.6", "0.10.2", "0.20.1", "0.28.0")
"""The releases that ids and paths are compared with, oldest first."""

Outcome: TypeAlias = dict[str, str]
"""A task's `id` and `uri`, or the `error` in their place."""

DESCRIBE = Path(__file__).with_name("describe.py")


class CannotInstallError(Exception):
    """A release could not be installed."""


def install(version: str, directory: Path) -> Path:
    """Install a release into an environment of its own, and return its Python.

    Pydantic has the version that is installed here: what differs is then the release's own doing.
    Raises `CannotInstallError` with what the installer said.
    """
    python = directory / version / "bin" / "python"
    wanted = (f"stardag=={version}", f"pydantic=={pydantic.VERSION}")
    for command in (
        ("venv", "--quiet", "--python", sys.executable, str(directory / version)),
        ("pip", "install", "--quiet", "--python", str(python), *wanted),
    ):
        uv = Path(sys.executable).with_name("uv")
        done = subprocess.run([uv, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise CannotInstallError(f"stardag {version}: {done.stderr.strip()}")
    return python


def describe(python: Path | str, *arguments: str, home: Path) -> dict[str, dict[str, Outcome]]:
    """Return what an environment's Stardag makes of the programs: outcomes by rule and case."""
    done = subprocess.run(
        [python, DESCRIBE, *arguments],
        env={"PATH": os.defpath, "HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: Any = json.loads(done.stdout)
    return found
