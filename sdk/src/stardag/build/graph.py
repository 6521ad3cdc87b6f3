"""Discovery: which tasks a build is about, what they wait for, what is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag._errors import CycleError
from stardag._identified import id_text
from stardag._task import BaseTask, flatten_task_struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Graph:
    """The tasks found so far, numbered so that what a task requires has smaller numbers."""

    def __init__(self) -> None:
        """Make an empty graph."""
        self.tasks: list[BaseTask] = []
        self.requires: list[list[int]] = []
        """What each task waits for; nothing for a complete one, below which nobody looks."""
        self.complete: list[bool] = []
        self._numbers: dict[str, int] = {}

    def number(self, task: BaseTask) -> int:
        """Return the number of a task that was found."""
        return self._numbers[id_text(task)]

    def discover(self, roots: Iterable[BaseTask]) -> range:
        """Find all that the roots need, and return the numbers of what is new.

        Goes down from the roots, stops at complete tasks, and asks each task once. Iterative,
        and linear in tasks and edges. Raises `CycleError` with the circle, if there is one.
        """
        first = len(self.tasks)
        open_path: dict[str, BaseTask] = {}  # from a root down to where the search is
        stack: list[tuple[BaseTask, list[BaseTask], Iterator[BaseTask]]] = []

        def enter(task: BaseTask) -> None:
            key = id_text(task)
            if key in self._numbers:
                return
            if key in open_path:
                keys = list(open_path)
                circle = [open_path[k] for k in keys[keys.index(key) :]]
                raise CycleError([repr(t) for t in (*circle, task)])
            if task.complete():
                self._add(task, [], complete=True)
                return
            required = flatten_task_struct(task.requires())
            open_path[key] = task
            stack.append((task, required, iter(required)))

        for root in roots:
            enter(root)
            while stack:
                task, required, remaining = stack[-1]
                below = next(remaining, None)
                if below is not None:
                    enter(below)
                    continue
                stack.pop()
                del open_path[id_text(task)]
                self._add(task, [self.number(t) for t in required], complete=False)
        return range(first, len(self.tasks))

    def _add(self, task: BaseTask, requires: list[int], *, complete: bool) -> None:
        self._numbers[id_text(task)] = len(self.tasks)
        self.tasks.append(task)
        self.requires.append(requires)
        self.complete.append(complete)
