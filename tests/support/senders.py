"""The senders that builds of a test started, which would outlive it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from support.waiting import until


def end_senders(state: Path) -> None:
    """End the senders of a state directory, and wait until they have."""
    for pid in senders(state):
        os.kill(pid, signal.SIGTERM)
    until(lambda: not senders(state), "the senders to end")


def senders(state: Path) -> list[int]:
    """Return the ids of the senders of a state directory."""
    found = Path("/proc").glob("[0-9]*/cmdline")
    return [int(path.parent.name) for path in found if _is_sender(path, state)]


def _is_sender(cmdline: Path, state: Path) -> bool:
    try:
        command = cmdline.read_bytes()  # of any process of this machine, in any encoding
    except OSError:
        return False
    return b"stardag.tracking.sender" in command and os.fsencode(state) in command
