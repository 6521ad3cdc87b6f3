"""How long a build will take yet, from what its own tasks took. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(slots=True)
class Pace:
    """What is known of the tasks of one type."""

    left: int = 0
    """Tasks that have not ended."""
    done: int = 0
    """Tasks that ran to their end in this build."""
    seconds: float = 0.0
    """How long these ran, added up."""

    @property
    def mean_s(self) -> float | None:
        """Seconds that one takes; None if none has run yet."""
        return self.seconds / self.done if self.done else None


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """An estimate, of which at least this much is known."""

    seconds: float
    at_least: bool
    """Whether there are tasks left of a type of which none has run yet."""


def time_left(
    paces: Mapping[type, Pace],
    running: Iterable[tuple[type, float]],
    at_once: float,
    *,
    closed: bool,
) -> TimeLeft | None:
    """Return how long is left; None without any ground to say so.

    `running` are the types of the attempts that run, and for how many seconds each has;
    `at_once` is how many ran at a time on average, which has in it what the machine and the
    shape of the DAG allow. `closed` says that nothing else is to be started.

    What is left is done at the pace of what was done; and the build lasts at least as long as
    the longest task that is left.
    """
    not_begun = {kind: pace.left for kind, pace in paces.items()}
    rests: list[float] = []  # of tasks of which it is known
    unknown = 0
    for kind, elapsed_s in running:
        not_begun[kind] -= 1
        mean_s = paces[kind].mean_s
        if mean_s is None:
            unknown += 1
        else:
            rests.append(max(0.0, mean_s - elapsed_s))
    work_s = sum(rests)
    if not closed:
        for kind, count in not_begun.items():
            mean_s = paces[kind].mean_s
            if mean_s is None:
                unknown += count
            elif count > 0:
                rests.append(mean_s)
                work_s += count * mean_s
    seconds = max(rests, default=0.0)
    if not closed and at_once:
        seconds = max(seconds, work_s / at_once)
    return TimeLeft(seconds, at_least=unknown > 0) if seconds else None
