"""Every test has its own configuration, state and target root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from stardag.config import get_config
from stardag.target import target_factory_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run in an empty directory, with no setting but a target root and a state directory."""
    for name in list(os.environ):
        if name.startswith(("STARDAG_", "OTEL_")) or name == "CI":  # where builds show progress
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for kind in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    monkeypatch.setenv("STARDAG_TARGET_ROOTS__DEFAULT", str(tmp_path / "targets"))
    monkeypatch.chdir(tmp_path)
    get_config.cache_clear()
    target_factory_provider.reset()
    yield tmp_path
    get_config.cache_clear()
    target_factory_provider.reset()
