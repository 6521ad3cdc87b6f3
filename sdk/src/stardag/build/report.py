"""What a task says while it runs: how far it is, and what it has to show."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from stardag.build.attempt import current_attempt

if TYPE_CHECKING:
    from stardag.assets import Asset
    from stardag.build.attempt import Attempt

_log = logging.getLogger("stardag")

_PROGRESS_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far an attempt is."""

    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An asset of a task."""

    asset: Asset


Report: TypeAlias = Progressed | Shown


def progress(fraction: float, message: str = "") -> None:
    """Say how much of the running task is done, from 0 to 1, and at what it is.

    For a loop to call as often as it likes: it is passed on twice a second at most, and always
    when it reaches 1. What lies outside of 0 to 1 is moved to the nearer bound. Outside of a
    task, and in a thread that a task has started by itself, it does nothing.
    """
    attempt = current_attempt()
    if attempt is None or attempt.report is None or math.isnan(fraction):
        return
    now = time.monotonic()
    if fraction < 1 and now - attempt.progressed_at < _PROGRESS_EVERY_S:
        return
    attempt.progressed_at = now
    attempt.report(attempt, Progressed(min(1.0, max(0.0, float(fraction))), message))


def log_asset(asset: Asset) -> None:
    """Show an asset with the running task, as it is now.

    It is kept on disk at once, and delivered by itself. Outside of a task it does nothing.
    """
    attempt = current_attempt()
    if attempt is not None and attempt.report is not None:
        attempt.report(attempt, Shown(asset))


def show_assets(attempt: Attempt) -> None:
    """Pass on the assets of a task that is complete. An error of the task's own is logged."""
    if attempt.report is None:
        return
    try:
        for asset in attempt.task.registry_assets():
            attempt.report(attempt, Shown(asset))
    except Exception:
        _log.warning("the assets of %r can't be had", attempt.task, exc_info=True)
