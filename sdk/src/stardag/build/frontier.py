"""The scheduler: which tasks may run now. Pure: no I/O, no clock, no threads.

Tasks are numbers, given out by `add` in an order in which dependencies come first. Smaller
numbers are taken first, so that what was begun is finished before something else begins;
what was found by a running task is taken in that task's place.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from heapq import heappop, heappush
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction

Amount: TypeAlias = "int | Fraction"
"""How much of something there is: exact, as it is added and taken away over and over."""

Needs: TypeAlias = "tuple[tuple[str, Amount], ...]"
"""How much a task takes of which resources while it runs."""


class State(Enum):
    """Where a task stands. The last five are final."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    SUSPENDED = "suspended"
    HELD = "held"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    CANCELLED = "cancelled"


_BEGUN = frozenset({State.RUNNING, State.SUSPENDED, State.HELD})
_LOST = frozenset({State.FAILED, State.SKIPPED, State.STOPPED, State.CANCELLED})


class Frontier:
    """Tasks and their dependencies, from added to done.

    A driver takes tasks, runs them, and says how each ended: `complete`, `fail`, `suspend`
    or `hold`. It is finished when `take` returns None and nothing runs or is held.
    """

    def __init__(self, *, fail_fast: bool, capacities: Mapping[str, Amount] | None = None) -> None:
        """Make an empty frontier.

        With `fail_fast` nothing is given out after a failure. `capacities` are how much there
        is of each resource; of one that is not named there is no end.
        """
        self._fail_fast = fail_fast
        self._closed = False
        self._free = dict(capacities or {})
        self._states: list[State] = []
        self._unmet: list[int] = []  # how many dependencies are not done
        self._dependents: list[list[int]] = []
        self._places: list[int] = []  # tasks are taken in the order of their places
        self._queues: dict[Needs, list[tuple[int, int]]] = {}  # what is ready, by needs
        self._needs: list[Needs] = []
        self._running = self._held = 0

    def __len__(self) -> int:
        return len(self._states)

    @property
    def running(self) -> int:
        """Number of tasks taken that have not ended, been suspended or been held."""
        return self._running

    @property
    def held(self) -> int:
        """Number of tasks held and not released."""
        return self._held

    def state(self, task: int) -> State:
        """Return where a task stands."""
        return self._states[task]

    def dependents(self, task: int) -> Iterable[int]:
        """Return the tasks that wait, or waited, for this one."""
        return self._dependents[task]

    def unmet(self, task: int) -> int:
        """Return how many tasks this one waits for."""
        return self._unmet[task]

    def add(
        self,
        dependencies: Iterable[int],
        *,
        done: bool = False,
        needs: Needs = (),
        found_by: int | None = None,
    ) -> int:
        """Add a task whose dependencies were added before, and return its number.

        A task that is `done` needs nothing. One that depends on what failed or was skipped is
        never given out; the caller learns so from its `state`, which is SKIPPED. `found_by` is
        the running task that asked for this one, and whose place it takes.
        """
        task = len(self._states)
        self._dependents.append([])
        self._unmet.append(0)
        self._needs.append(needs)
        self._places.append(task if found_by is None else self._places[found_by])
        self._states.append(State.DONE if done else State.WAITING)
        if not done:
            self._wait_for(task, dependencies)
        return task

    def take(self) -> int | None:
        """Return a task to run, or to resume, now; None if there is none at the moment.

        It is the first of those for which there is enough of all that they need.
        """
        if self._closed:
            return None
        first: list[tuple[int, int]] | None = None
        for needs, queue in self._queues.items():
            while queue and self._states[queue[0][1]] is not State.READY:
                heappop(queue)
            if queue and (first is None or queue[0] < first[0]) and self._is_free(needs):
                first = queue
        if first is None:
            return None
        _, task = heappop(first)
        self._states[task] = State.RUNNING
        self._running += 1
        for resource, amount in self._needs[task]:
            if resource in self._free:
                self._free[resource] -= amount
        return task

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
        if any(self._states[d] in _LOST for d in wanted):
            return False
        self._end(task, State.SUSPENDED)
        self._wait_for(task, wanted)
        return True

    def hold(self, task: int) -> None:
        """Say that a running task has stopped, and is to be given out again once released."""
        self._end(task, State.HELD)
        self._held += 1

    def release(self, task: int) -> None:
        """Let a held task be given out again; one that was cancelled meanwhile is not."""
        if self._states[task] is State.HELD:
            self._held -= 1
            self._make_ready(task)

    def limit(self, resource: str, amount: Amount) -> None:
        """Say how much there is of a resource of which nothing is taken yet."""
        self._free[resource] = amount

    def close(self) -> None:
        """Give nothing out any more."""
        self._closed = True

    @property
    def closed(self) -> bool:
        """Whether nothing is given out any more."""
        return self._closed

    def cancel(self) -> list[tuple[int, bool]]:
        """Cancel all that has not ended; return it, each with whether it had begun."""
        self._closed = True
        self._running = self._held = 0
        cancelled: list[tuple[int, bool]] = []
        for task, state in enumerate(self._states):
            if state in _BEGUN or state in (State.WAITING, State.READY):
                self._states[task] = State.CANCELLED
                cancelled.append((task, state in _BEGUN))
        return cancelled

    def chain(self, task: int, other: int) -> list[int] | None:
        """Return how `task` waits for `other`: both, and those between; None if it doesn't."""
        came_from: dict[int, int | None] = {other: None}
        queue = deque([other])
        while queue:
            current = queue.popleft()
            if current == task:
                return _followed(current, came_from)
            for dependent in self._dependents[current]:
                if dependent not in came_from:
                    came_from[dependent] = current
                    queue.append(dependent)
        return None

    def _wait_for(self, task: int, dependencies: Iterable[int]) -> None:
        for dependency in set(dependencies):
            state = self._states[dependency]
            if state in _LOST:
                self._states[task] = State.SKIPPED
            elif state is not State.DONE:
                self._dependents[dependency].append(task)
                self._unmet[task] += 1
        if not self._unmet[task] and self._states[task] is not State.SKIPPED:
            self._make_ready(task)

    def _make_ready(self, task: int) -> None:
        if self._states[task] in (State.WAITING, State.SUSPENDED, State.HELD):
            self._states[task] = State.READY
            queue = self._queues.get(self._needs[task])
            if queue is None:
                queue = self._queues[self._needs[task]] = []
            heappush(queue, (self._places[task], task))

    def _is_free(self, needs: Needs) -> bool:
        free = self._free
        return all(free[resource] >= amount for resource, amount in needs if resource in free)

    def _end(self, task: int, state: State) -> None:
        assert self._states[task] is State.RUNNING, f"task {task} is not running"
        self._states[task] = state
        self._running -= 1
        for resource, amount in self._needs[task]:
            if resource in self._free:
                self._free[resource] += amount

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


def _followed(task: int, came_from: Mapping[int, int | None]) -> list[int]:
    chain: list[int] = []
    step: int | None = task
    while step is not None:
        chain.append(step)
        step = came_from[step]
    return chain
