"""Builders that are not the same when they are tracked."""

from __future__ import annotations

from typing import Any


def say_nothing(_: Any) -> Any:
    """Forget what could not be kept."""

    def record_losses(self: Any, spool: Any) -> None:
        self._lost.clear()

    return record_losses


def say_more(build_started: Any) -> Any:
    """Print what nobody asked for."""

    def started(self: Any, *args: Any) -> None:
        print("this is tracked")
        build_started(self, *args)

    return started
