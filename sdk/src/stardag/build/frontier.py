"""The scheduler: which tasks may run now. Pure: no I/O, no clock, no threads.

Tasks are numbers, given out by `add` in an order in which dependencies come first. Smaller
numbers are taken first, so that what was begun is finished before something else begins.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class State(Enum):
    """Where a task stands. The last five are final."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    SUSPENDED = "suspended"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    CANCELLED = "cancelled"


class Frontier:
    """Tasks and their dependencies, from added to done.

    A driver takes tasks, runs them, and says how each ended: `complete`, `fail` or
    `suspend`. It is finished when `take` returns None and nothing runs.
    """

    def __init__(self, *, fail_fast: bool) -> None:
        """Make an empty frontier; with `fail_fast` nothing is given out after a failure."""
        self._fail_fast = fail_fast
        self._closed = False
        self._states: list[State] = []
        self._unmet: list[int] = []  # how many dependencies are not done
        self._dependents: list[list[int]] = []
        self._ready: list[int] = []
        self._running = 0

    def __len__(self) -> int:
        return len(self._states)

    @property
    def running(self) -> int:
        """Number of tasks taken that have not ended or been suspended."""
        return self._running

    def state(self, task: int) -> State:
        """Return where a task stands."""
        return self._states[task]

    def add(self, dependencies: Iterable[int], *, done: bool = False) -> int:
        """Add a task whose dependencies were added before, and return its number.

        A task that is `done` needs nothing. One that depends on what failed or was skipped is
        never given out; the caller learns so from its `state`, which is SKIPPED.
        """
        task = len(self._states)
        self._dependents.append([])
        self._unmet.append(0)
        self._states.append(State.DONE if done else State.WAITING)
        if not done:
            self._wait_for(task, dependencies)
        return task

    def take(self) -> int | None:
        """Return a task to run, or to resume, now; None if there is none at the moment."""
        while self._ready and not self._closed:
            task = heappop(self._ready)
            if self._states[task] is State.READY:
                self._states[task] = State.RUNNING
                self._running += 1
                return task
        return None

    def complete(self, task: int) -> None:
        """Say that a running task is done, so that what waits for it alone is ready."""
        self._end(task, State.DONE)
        for dependent in self._dependents[task]:
            self._unmet[dependent] -= 1
            if not self._unmet[dependent]:
                self._make_ready(dependent)

    def fail(self, task: int) -> list[int]:
        """Say that a running task failed, and return those that can no longer run for it.

        They are SKIPPED, or STOPPED if they had begun and were suspended; nearest first.
        """
        self._end(task, State.FAILED)
        if self._fail_fast:
            self._closed = True
        return self._skip_dependents(task)

    def suspend(self, task: int, dependencies: Iterable[int]) -> bool:
        """Say that a running task waits for further tasks, added before.

        It is given out again when they are done. Returns False, and leaves the task running,
        if one of them will never be: the caller must then fail it.
        """
        wanted = list(dependencies)
        if any(self._is_lost(d) for d in wanted):
            return False
        self._end(task, State.SUSPENDED)
        self._wait_for(task, wanted)
        return True

    def cancel(self) -> list[tuple[int, bool]]:
        """Cancel all that has not ended; return it, each with whether it had begun."""
        self._closed = True
        self._running = 0
        begun = (State.RUNNING, State.SUSPENDED)
        cancelled: list[tuple[int, bool]] = []
        for task, state in enumerate(self._states):
            if state in (State.WAITING, State.READY, *begun):
                self._states[task] = State.CANCELLED
                cancelled.append((task, state in begun))
        return cancelled

    def depends_on(self, task: int, other: int) -> bool:
        """Return whether `task` waits, through any number of others, for `other`."""
        seen = {other}
        queue = deque([other])
        while queue:
            for dependent in self._dependents[queue.popleft()]:
                if dependent == task:
                    return True
                if dependent not in seen:
                    seen.add(dependent)
                    queue.append(dependent)
        return False

    def _wait_for(self, task: int, dependencies: Iterable[int]) -> None:
        for dependency in set(dependencies):
            if self._is_lost(dependency):
                self._states[task] = State.SKIPPED
            elif self._states[dependency] is not State.DONE:
                self._dependents[dependency].append(task)
                self._unmet[task] += 1
        if not self._unmet[task] and self._states[task] is not State.SKIPPED:
            self._make_ready(task)

    def _make_ready(self, task: int) -> None:
        if self._states[task] in (State.WAITING, State.SUSPENDED):
            self._states[task] = State.READY
            heappush(self._ready, task)

    def _end(self, task: int, state: State) -> None:
        assert self._states[task] is State.RUNNING, f"task {task} is not running"
        self._states[task] = state
        self._running -= 1

    def _is_lost(self, task: int) -> bool:
        lost = (State.FAILED, State.SKIPPED, State.STOPPED, State.CANCELLED)
        return self._states[task] in lost

    def _skip_dependents(self, task: int) -> list[int]:
        skipped: list[int] = []
        queue = deque([task])
        while queue:
            for dependent in self._dependents[queue.popleft()]:
                state = self._states[dependent]
                if state in (State.WAITING, State.SUSPENDED):
                    begun = state is State.SUSPENDED
                    self._states[dependent] = State.STOPPED if begun else State.SKIPPED
                    skipped.append(dependent)
                    queue.append(dependent)
        return skipped
