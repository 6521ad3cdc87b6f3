"""What is known of a build while it runs. Pure: no clock, no threads, no I/O.

Each method of `Progress` takes in one transition. Times are seconds on any one clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import Enum
from heapq import nsmallest
from typing import TYPE_CHECKING

from stardag.build.progress.estimate import Pace, time_left
from stardag.build.summary import TaskCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stardag.build.observer import ObservedTask
    from stardag.build.progress.estimate import TimeLeft


class Phase(Enum):
    """Where a task stands that has begun, and has not ended."""

    RUNNING = "running"
    BLOCKED = "blocked"
    SUSPENDED = "suspended"
    RETRYING = "retrying"


@dataclass(slots=True)
class Begun:
    """A task that has begun, and has not ended."""

    task: ObservedTask
    phase: Phase
    since: float
    """When it came into its phase."""
    ran_s: float = 0.0
    """For how long its attempt ran before."""
    waits_for: deque[ObservedTask] | None = None
    """What it yielded, if it is suspended."""
    error: BaseException | None = None
    """Why it is to be tried again, if it is."""
    fraction: float | None = None
    """How much of it is done, 0 to 1, if it says so."""
    doing: str = ""
    """What it says it is at."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A task that failed for good."""

    task: ObservedTask
    error: BaseException


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A build at one moment."""

    elapsed_s: float
    ended: TaskCounts
    """Tasks that have ended, by how."""
    waiting: int
    """Tasks that have not begun."""
    begun: dict[Phase, int]
    """Tasks that have begun and not ended, by where they stand."""
    longest: dict[Phase, list[Begun]]
    """The first few of these, longest in their phase first."""
    failures: Sequence[Failed]
    closed: bool
    """Whether nothing more is to be started."""
    left: TimeLeft | None
    now: float

    @property
    def total(self) -> int:
        """Number of tasks that are known of."""
        return self.ended.total + self.waiting + sum(self.begun.values())


class Progress:
    """One build, from its start to its end. Costs a few updates of dicts a transition."""

    def __init__(self, now: float) -> None:
        """Begin with no tasks."""
        self.ended = TaskCounts()
        self.failures: list[Failed] = []
        self._started_at = now
        self._first_ran_at: float | None = None
        self._waiting: set[ObservedTask] = set()
        self._begun: dict[ObservedTask, Begun] = {}
        self._paces: dict[type, Pace] = {}
        self._ran_s = 0.0  # all that has run and runs no more, added up

    def pending(self, task: ObservedTask) -> None:
        """Take in a task that may have to run."""
        self._waiting.add(task)
        self._pace(task).left += 1

    def reused(self, task: ObservedTask) -> None:
        """Take in a task that is there already, or that another build has made meanwhile."""
        self.ended.reused += 1
        if task in self._waiting or task in self._begun:
            self._end(task)

    def started(self, task: ObservedTask, now: float) -> None:
        """Take in the start of an attempt."""
        if self._first_ran_at is None:
            self._first_ran_at = now
        self._waiting.discard(task)
        self._begun[task] = Begun(task, Phase.RUNNING, now)

    def blocked(self, task: ObservedTask, now: float) -> None:
        """Take in that another build has the task's lease."""
        self._waiting.discard(task)
        self._begun[task] = Begun(task, Phase.BLOCKED, now)

    def suspended(self, task: ObservedTask, waits_for: Iterable[ObservedTask], now: float) -> None:
        """Take in that an attempt waits for what it yielded."""
        begun = self._pause(task, Phase.SUSPENDED, now)
        begun.waits_for = deque(waits_for)

    def resumed(self, task: ObservedTask, now: float) -> None:
        """Take in that an attempt goes on."""
        self._pause(task, Phase.RUNNING, now)

    def progressed(self, task: ObservedTask, fraction: float, message: str) -> None:
        """Take in what a running task says of itself."""
        if (begun := self._begun.get(task)) is not None:
            begun.fraction, begun.doing = fraction, message

    def completed(self, task: ObservedTask, now: float) -> None:
        """Take in that an output is in place."""
        self.ended.completed += 1
        begun = self._pause(task, Phase.RUNNING, now)
        pace = self._end(task)
        pace.done += 1
        pace.seconds += begun.ran_s

    def failed(
        self, task: ObservedTask, error: BaseException, now: float, *, will_retry: bool
    ) -> None:
        """Take in that an attempt failed."""
        begun = self._pause(task, Phase.RETRYING, now)
        if will_retry:
            begun.error = error
            return
        self.ended.failed += 1
        self.failures.append(Failed(task, error))
        self._end(task)

    def skipped(self, task: ObservedTask) -> None:
        """Take in that something upstream failed."""
        self.ended.skipped += 1
        self._end(task)

    def cancelled(self, task: ObservedTask) -> None:
        """Take in that the build ends before the task does."""
        self.ended.cancelled += 1
        self._end(task)

    def snapshot(self, now: float, *, first: int, closed: bool = False) -> Snapshot:
        """Return how things stand, with the `first` tasks of each phase.

        `closed` says that nothing more is to be started. Linear in the tasks that have begun.
        """
        by_phase: dict[Phase, list[Begun]] = {phase: [] for phase in Phase}
        for begun in self._begun.values():
            by_phase[begun.phase].append(begun)
        running = [(type(b.task), b.ran_s + now - b.since) for b in by_phase[Phase.RUNNING]]
        wall_s = now - self._first_ran_at if self._first_ran_at is not None else 0.0
        ran_s = self._ran_s + sum(now - b.since for b in by_phase[Phase.RUNNING])
        at_once = ran_s / wall_s if wall_s > 0 else 0.0
        return Snapshot(
            elapsed_s=now - self._started_at,
            ended=replace(self.ended),
            waiting=len(self._waiting),
            begun={phase: len(found) for phase, found in by_phase.items()},
            longest={
                phase: nsmallest(first, found, key=lambda b: b.since)
                for phase, found in by_phase.items()
            },
            failures=tuple(self.failures),
            closed=closed,
            left=time_left(self._paces, running, at_once, closed=closed),
            now=now,
        )

    def _pause(self, task: ObservedTask, phase: Phase, now: float) -> Begun:
        """Put a task into another phase, and count for how long it ran."""
        begun = self._begun.get(task)
        if begun is None:
            begun = self._begun[task] = Begun(task, phase, now)
        if begun.phase is Phase.RUNNING:
            begun.ran_s += now - begun.since
            self._ran_s += now - begun.since
        begun.phase, begun.since = phase, now
        return begun

    def _end(self, task: ObservedTask) -> Pace:
        if self._begun.pop(task, None) is None:
            self._waiting.discard(task)
        pace = self._pace(task)
        pace.left -= 1
        return pace

    def _pace(self, task: ObservedTask) -> Pace:
        pace = self._paces.get(type(task))
        if pace is None:
            pace = self._paces[type(task)] = Pace()
        return pace
