"""Discovery: which tasks a build is about, what they wait for, what is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stardag._errors import CycleError, TaskDefinitionError
from stardag._identified import id_text
from stardag._task import BaseTask, flatten_task_struct
from stardag.build.existence import are_complete

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Found(NamedTuple):
    """A task that was found, and the ids of what it requires; None if it is complete."""

    task: BaseTask
    requires: list[str] | None


class Graph:
    """The tasks of a build, numbered so that what a task requires has smaller numbers."""

    def __init__(self, *, in_threads: bool = False) -> None:
        """Make an empty graph. With `in_threads`, several tasks are asked at once."""
        self._in_threads = in_threads
        self.tasks: list[BaseTask] = []
        self._numbers: dict[str, int] = {}

    def number(self, task: BaseTask) -> int:
        """Return the number of a task that was added."""
        return self._numbers[id_text(task)]

    def add(self, found: Found) -> list[int]:
        """Give a task the next number, and return the numbers of what it requires."""
        self._numbers[id_text(found.task)] = len(self.tasks)
        self.tasks.append(found.task)
        return [self._numbers[key] for key in found.requires or ()]

    def discover(self, roots: Iterable[BaseTask]) -> list[Found]:
        """Return what is new of all that the roots need, in an order in which it can be added.

        Goes down from the roots in waves, asks for the existence of a whole wave at once, and
        stops at complete tasks. Each task is asked once. Iterative, and linear in tasks and
        edges.

        Raises `CycleError` with the circle, if there is one; `TaskDefinitionError` for a task
        that would have to run and has no `run`; and what a task's `complete`, `output` and
        `requires` raise, with a note that names the task.
        """
        top = {id_text(task): task for task in roots}
        found = self._look_down({k: t for k, t in top.items() if k not in self._numbers})
        return [found[key] for key in _bottom_up(top, found)]

    def _look_down(self, wave: dict[str, BaseTask]) -> dict[str, Found]:
        """Return each new task of a wave and below it, by id."""
        found: dict[str, Found] = {}
        while wave:
            below: dict[str, BaseTask] = {}
            answers = are_complete(list(wave.values()), in_threads=self._in_threads)
            for (key, task), is_complete in zip(wave.items(), answers, strict=True):
                if is_complete:
                    found[key] = Found(task, None)
                    continue
                required = {id_text(t): t for t in _requirements(task)}
                found[key] = Found(task, list(required))
                below.update(required)
            wave = {k: t for k, t in below.items() if k not in found and k not in self._numbers}
        return found


def _bottom_up(roots: Iterable[str], found: Mapping[str, Found]) -> Iterator[str]:
    """Return each key after those that it requires, in the order of a depth-first search.

    What is needed by one task comes together, so that a build in this order finishes what it
    has begun. Raises `CycleError` with the circle, if there is one.
    """
    done: set[str] = set()
    open_path: dict[str, None] = {}  # from the root down to where the search is
    for root in roots:
        stack = [("", iter((root,)))]
        while stack:
            key, remaining = stack[-1]
            below = next(remaining, None)
            if below is None:
                stack.pop()
                if stack:
                    del open_path[key]
                    done.add(key)
                    yield key
            elif below in open_path:
                keys = list(open_path)
                circle = [*keys[keys.index(below) :], below]
                raise CycleError([repr(found[k].task) for k in circle])
            elif below in found and below not in done:
                open_path[below] = None
                stack.append((below, iter(found[below].requires or ())))


def _requirements(task: BaseTask) -> list[BaseTask]:
    if not task._form.runs:
        raise TaskDefinitionError(
            f"{task!r} is not complete, and {type(task).__qualname__} has no run to make it"
        )
    try:
        return flatten_task_struct(task.requires())
    except Exception as error:
        error.add_note(f"raised by requires() of {task!r}")
        raise
