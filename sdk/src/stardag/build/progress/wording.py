"""What is said of a build: the same words in a terminal and in a log."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from stardag._readable import duration, one_line, rough_duration
from stardag.build.progress.state import Phase
from stardag.tracking.redaction import presentable

if TYPE_CHECKING:
    from uuid import UUID

    from stardag.build.observer import BuildStatus, BuildView
    from stardag.build.progress.state import Begun, Failed, Snapshot

_MOST_BYTES = 1000


def text_of(value: object) -> str:
    """Return an object's text in one line, without secrets; its type if it has no text."""
    try:
        text = str(value)
    except Exception as error:  # the object's own code
        text = f"{type(value).__name__}(no text: {type(error).__name__})"
    return one_line(presentable(text, _MOST_BYTES).replace("\n", " "))


def error_text(error: BaseException) -> str:
    """Return an exception as `ValueError: what it says`."""
    return f"{type(error).__name__}: {text_of(error)}".removesuffix(": ")


def failure_text(failed: Failed) -> str:
    """Return what failed and why."""
    return f"{text_of(failed.task)}: {error_text(failed.error)}"


def counts(snapshot: Snapshot) -> str:
    """Return the number of tasks by where they stand; what needs attention comes first."""
    ended, begun = snapshot.ended, snapshot.begun
    numbers = {
        "failed": ended.failed,
        "running": begun[Phase.RUNNING],
        "blocked": begun[Phase.BLOCKED],
        "retrying": begun[Phase.RETRYING],
        "suspended": begun[Phase.SUSPENDED],
        "waiting": snapshot.waiting,
        "completed": ended.completed,
        "reused": ended.reused,
        "skipped": ended.skipped,
        "cancelled": ended.cancelled,
    }
    return ", ".join(f"{number:,} {name}" for name, number in numbers.items() if number)


def outlook(snapshot: Snapshot) -> str:
    """Return what is to be expected; empty if nothing can be said."""
    if snapshot.closed:
        return "waits for what runs"
    left = snapshot.left
    if left is None or left.seconds < 1:
        return ""
    return f"{'at least' if left.at_least else 'about'} {rough_duration(left.seconds)} left"


def reason(begun: Begun, view: BuildView) -> str:
    """Return what a task waits for, or how far it is and who waits; empty if there is nothing."""
    if begun.phase is Phase.RETRYING and begun.error is not None:
        return f"after {error_text(begun.error)}"
    if begun.phase is Phase.SUSPENDED:
        waits_for = begun.waits_for or deque()
        # What is done stays done, so that each is asked about once and no more.
        while waits_for and view.is_done(waits_for[0]):
            waits_for.popleft()
        if not waits_for:
            return "waits for a worker"
        return f"waits for {view.unmet(begun.task):,}: {text_of(waits_for[0])}"
    parts = ["another build makes it"] * (begun.phase is Phase.BLOCKED)
    if begun.fraction is not None:
        parts.append(f"{begun.fraction:.0%} {text_of(begun.doing)}".rstrip())
    if waiting := view.waiting_for(begun.task):
        waits = "waits" if len(waiting) == 1 else "wait"
        parts.append(f"{len(waiting):,} {waits}: {text_of(waiting[0])}")
    return "; ".join(parts)


def summary(build: UUID, status: BuildStatus, snapshot: Snapshot) -> str:
    """Return how a build ended, in one line."""
    took = duration(snapshot.elapsed_s)
    line = f"build {build} {status} in {took}: {counts(snapshot) or 'no tasks'}"
    if failures := snapshot.failures:
        more = f", and {len(failures) - 1:,} more" if len(failures) > 1 else ""
        line += f"; {failure_text(failures[0])}{more}"
    return line
