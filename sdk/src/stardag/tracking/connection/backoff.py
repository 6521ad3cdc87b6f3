"""How long to wait before the next attempt; pure, no I/O."""

from __future__ import annotations

import random


class Backoff:
    """How long to wait before the next attempt: full jitter, so that clients spread out.

    See "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, cap_s: float, *, base_s: float = 0.1) -> None:
        """Wait up to `base_s` seconds at first, twice as long each time, up to `cap_s`."""
        self._base_s = base_s
        self._cap_s = cap_s
        self._failures = 0

    def failed(self, at_least_s: float = 0.0) -> float:
        """Return the seconds to wait after one more failure, what the server asked for added."""
        ceiling = min(self._cap_s, self._base_s * 2 ** min(self._failures, 30))
        self._failures += 1
        return at_least_s + random.uniform(0.0, ceiling)
