"""Discovery: which tasks a build is about, what they wait for, what is there already."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from stardag._errors import CycleError, TaskDefinitionError
from stardag._identified import id_text
from stardag._task import BaseTask, flatten_task_struct

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator


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
        and linear in tasks and edges.

        Raises `CycleError` with the circle, if there is one; `TaskDefinitionError` for a task
        that would have to run and has no `run`; and what a task's `complete` and `requires`
        raise, with a note that names the task. The graph is then as it was.
        """
        first = len(self.tasks)
        try:
            for root in roots:
                self._descend(root)
        except BaseException:
            for task in self.tasks[first:]:
                del self._numbers[id_text(task)]
            del self.tasks[first:], self.requires[first:], self.complete[first:]
            raise
        return range(first, len(self.tasks))

    def _descend(self, root: BaseTask) -> None:
        open_path: dict[str, BaseTask] = {}  # from the root down to where the search is
        stack: list[tuple[BaseTask, list[BaseTask], Iterator[BaseTask]]] = []

        def enter(task: BaseTask) -> None:
            key = id_text(task)
            if key in self._numbers:
                return
            if key in open_path:
                keys = list(open_path)
                circle = [open_path[k] for k in keys[keys.index(key) :]]
                raise CycleError([repr(t) for t in (*circle, task)])
            if _is_complete(task):
                self._add(task, [], complete=True)
                return
            required = _requirements(task)
            open_path[key] = task
            stack.append((task, required, iter(required)))

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

    def _add(self, task: BaseTask, requires: list[int], *, complete: bool) -> None:
        self._numbers[id_text(task)] = len(self.tasks)
        self.tasks.append(task)
        self.requires.append(requires)
        self.complete.append(complete)


def _is_complete(task: BaseTask) -> bool:
    with _naming(task, "complete"):
        return task.complete()


def _requirements(task: BaseTask) -> list[BaseTask]:
    if type(task).run is BaseTask.run:
        raise TaskDefinitionError(
            f"{task!r} is not complete, and {type(task).__qualname__} has no run to make it"
        )
    with _naming(task, "requires"):
        return flatten_task_struct(task.requires())


@contextmanager
def _naming(task: BaseTask, method: str) -> Generator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"raised by {method}() of {task!r}")
        raise
