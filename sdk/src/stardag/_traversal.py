"""The tasks in values, and all tasks below one, whatever part they have in ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from stardag._identified import Identified
from stardag._nesting import children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

IdentifiedT = TypeVar("IdentifiedT", bound=Identified)


def tasks_in(value: Any) -> Iterator[Any]:
    """Return the tasks that a value holds at any depth, those inside of them not."""
    if isinstance(value, Identified):
        yield value
        return
    for _, item in children(value) or ():
        yield from tasks_in(item)


def bottom_up(
    roots: Iterable[IdentifiedT], is_done: Callable[[IdentifiedT], bool] = lambda _: False
) -> Iterator[IdentifiedT]:
    """Return the roots and all below them, each object once, after those in its parameters.

    What `is_done` is left out, and so is what only it has below. Iterative, as a chain of tasks
    may be longer than Python's stack is deep.
    """
    seen: set[int] = set()
    stack: list[tuple[IdentifiedT, Iterator[IdentifiedT]]] = []

    def enter(task: IdentifiedT) -> None:
        if id(task) not in seen and not is_done(task):
            seen.add(id(task))
            stack.append((task, tasks_in(task.__dict__)))

    for root in roots:
        enter(root)
        while stack:
            task, below = stack[-1]
            child = next(below, None)
            if child is not None:
                enter(child)
            else:
                stack.pop()
                yield task
