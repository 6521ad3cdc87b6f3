"""Which tasks are complete: outputs in stores in bulk, others several at once."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, cast

from stardag._task import BaseTask, Task
from stardag.target._stored import StoredTarget, exists_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stardag.target._protocols import Target

AT_ONCE = 32
"""Most tasks that are asked at once, each in a thread, where threads may be used."""


def are_complete(tasks: Sequence[BaseTask], *, in_threads: bool) -> list[bool]:
    """Return for each task whether it is complete.

    Where that is whether its output exists in a store, the store is asked for all at once. Any
    other task is asked itself; with `in_threads` several at once. Raises what a task raises,
    with a note that names it.
    """
    found = [False] * len(tasks)
    stored: list[tuple[int, StoredTarget]] = []
    others: list[int] = []
    for place, task in enumerate(tasks):
        target = _plain_output(task)
        if isinstance(target, StoredTarget):
            stored.append((place, target))
        else:
            others.append(place)
    for (place, _), exists in zip(stored, exists_many([t for _, t in stored]), strict=True):
        found[place] = exists
    asked = [tasks[place] for place in others]
    answers = _ask_in_threads(asked) if in_threads and len(asked) > 1 else map(_ask, asked)
    for place, answer in zip(others, answers, strict=True):
        found[place] = answer
    return found


def _plain_output(task: BaseTask) -> Target | None:
    """Return the output whose existence makes the task complete; None if there is more to it."""
    if type(task).complete is not Task.complete:
        return None
    try:
        return cast("Task[Target]", task).output()
    except Exception as error:
        _name(error, task)
        raise


def _ask(task: BaseTask) -> bool:
    try:
        return task.complete()
    except Exception as error:
        _name(error, task)
        raise


def _ask_in_threads(tasks: Sequence[BaseTask]) -> Iterable[bool]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(AT_ONCE, len(tasks))) as pool:
        asked = [pool.submit(contextvars.copy_context().run, _ask, task) for task in tasks]
        return [answer.result() for answer in asked]


def _name(error: Exception, task: BaseTask) -> None:
    error.add_note(f"raised by complete() of {task!r}")
