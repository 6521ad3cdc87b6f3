"""A wall clock that jumps, by days, in either direction; the monotonic one goes on as it is."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DAYS = 3
_OFTEN = 0.05


def _jumping(now_ns: Callable[[], int]) -> Callable[[], int]:
    offset_ns = 0

    def jumping_ns() -> int:
        nonlocal offset_ns
        if random.random() < _OFTEN:
            offset_ns = int(random.uniform(-_DAYS, _DAYS) * 86_400e9)
        return now_ns() + offset_ns

    return jumping_ns


def _in_seconds(_: Callable[[], float]) -> Callable[[], float]:
    return lambda: time.time_ns() / 1e9


JUMPING_CLOCK = {"time:time_ns": _jumping, "time:time": _in_seconds}
"""What is put around which function."""
