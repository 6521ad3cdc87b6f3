"""The example is imported as its users do, from its folder; each test has a target root."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import stardag as sd
from stardag.config import get_config

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture
def targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Build into an empty folder, tracked nowhere."""
    for name in [name for name in os.environ if name.startswith(("STARDAG_", "OTEL_"))]:
        monkeypatch.delenv(name)
    empty = tmp_path / "stardag.toml"
    empty.touch()
    monkeypatch.setenv("STARDAG_CONFIG", str(empty))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    get_config.cache_clear()
    root = tmp_path / "targets"
    with sd.target_factory_provider.override(sd.TargetFactory({"default": str(root)})):
        yield root
    get_config.cache_clear()


@pytest.fixture
def address() -> str:
    """Return a loopback address at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"
