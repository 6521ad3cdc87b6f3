"""The observer of builds that nobody watches."""

from __future__ import annotations

from typing import Any


class SilentObserver:
    """Does nothing, at the cost of a call."""

    listens = False

    def _ignore(self, *_: Any, **__: Any) -> None:
        pass

    build_started = task_pending = task_reused = task_started = _ignore
    task_blocked = task_suspended = task_resumed = task_completed = task_failed = _ignore
    task_skipped = task_cancelled = build_ended = wait_delivered = _ignore
    task_leased = task_progressed = asset_shown = stop_requested = _ignore
