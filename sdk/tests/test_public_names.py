"""The names that a program imports are there, and importing them all takes what it must."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["stardag", "stardag.build", "stardag.target"])
def test_every_public_name_is_there(module: str) -> None:
    found = importlib.import_module(module)
    assert [name for name in found.__all__ if not hasattr(found, name)] == []


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'stardag' has no attribute 'biuld'"):
        _ = importlib.import_module("stardag").biuld


HEAVY = ("asyncio", "multiprocessing", "rich", "grpc", "google.protobuf", "opentelemetry", "numpy")


def test_importing_stardag_and_a_short_build_load_nothing_heavy() -> None:
    program = (
        "import sys, stardag as sd\n"
        "@sd.task\n"
        "def one() -> int:\n"
        "    return 1\n"
        "sd.build(one()).raise_for_status()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
