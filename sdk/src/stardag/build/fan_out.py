"""One observer that tells several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from stardag.build.observer import BuildObserver


def _tell(name: str) -> Callable[..., None]:
    def tell(self: FanOut, *args: Any, **keywords: Any) -> None:
        for observer in self.observers:
            getattr(observer, name)(*args, **keywords)

    tell.__name__ = name
    return tell


class FanOut:
    """Tells each of several observers everything, in their order. Implements `BuildObserver`."""

    def __init__(self, *observers: BuildObserver) -> None:
        """Tell these."""
        self.observers = observers

    build_started = _tell("build_started")
    task_pending = _tell("task_pending")
    task_reused = _tell("task_reused")
    task_started = _tell("task_started")
    task_leased = _tell("task_leased")
    task_blocked = _tell("task_blocked")
    task_suspended = _tell("task_suspended")
    task_resumed = _tell("task_resumed")
    task_progressed = _tell("task_progressed")
    asset_shown = _tell("asset_shown")
    task_completed = _tell("task_completed")
    task_failed = _tell("task_failed")
    task_skipped = _tell("task_skipped")
    task_cancelled = _tell("task_cancelled")
    build_ended = _tell("build_ended")
    wait_delivered = _tell("wait_delivered")

    @property
    def listens(self) -> bool:
        """Whether one of them does."""
        return any(observer.listens for observer in self.observers)

    def stop_requested(self) -> str | None:
        """Return what the first of them knows that knows of any."""
        reasons = (observer.stop_requested() for observer in self.observers)
        return next((reason for reason in reasons if reason is not None), None)
