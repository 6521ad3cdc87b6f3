"""File descriptors that stand for this process's life: no fork of it has them open.

A locked file stays locked, and a pipe open, until the last process that has a copy ends; so a
child that a task forked, and that outlives the build, would hold what the build held.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

_own: set[int] = set()
_changing = threading.RLock()


@contextmanager
def own_descriptors() -> Generator[set[int]]:
    """Keep all threads from forking while a descriptor is opened and added, or removed and closed.

    In a fork, what is in the set leads to the null device.
    """
    with _changing:
        yield _own


def _after_fork_in_child() -> None:
    try:
        if _own:
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            for descriptor in _own:
                # not closed, as who has the number here may do that
                os.dup2(null, descriptor, inheritable=False)
            os.close(null)
            _own.clear()
    finally:
        _changing.release()


if hasattr(os, "register_at_fork"):  # not on every platform
    os.register_at_fork(
        before=_changing.acquire,
        after_in_parent=_changing.release,
        after_in_child=_after_fork_in_child,
    )
