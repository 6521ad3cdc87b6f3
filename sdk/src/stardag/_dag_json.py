"""Whole DAGs as JSON, each task once, however often it occurs.

    {"roots": ["<id>", ...], "tasks": {"<id>": {"__namespace": ..., "__name": ..., ...}, ...}}

A task refers to others as `{"id": "<id>"}`. Its own `model_dump_json` writes every nested task in
full instead, and again wherever it occurs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from stardag._identified import id_text
from stardag._identity import referred
from stardag._nesting import children
from stardag._task import BaseTask, TaskStruct, flatten_task_struct
from stardag._traversal import bottom_up

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping


def dag_to_json(tasks: TaskStruct) -> str:
    """Return the tasks, and all that their parameters hold, as one JSON text."""
    roots = flatten_task_struct(tasks)
    return json.dumps({"roots": [id_text(root) for root in roots], "tasks": bodies_of(roots)})


def bodies_of(tasks: Iterable[BaseTask], known: Container[str] = ()) -> dict[str, Any]:
    """Return the bodies of the tasks and of all that their parameters hold, by id.

    What is `known`, and what is below it, is left out.
    """
    return {
        id_text(task): json.loads(task.params_json())
        for task in bottom_up(tasks, lambda task: id_text(task) in known)
    }


def dag_from_json(text: str | bytes) -> list[BaseTask]:
    """Return the roots that `dag_to_json` wrote; what they share is one object.

    Raises `ValueError` for another kind of text, for a type that no imported class has, and
    if a task does not have the id under which it was written.
    """
    content = json.loads(text)
    try:
        roots, bodies = content["roots"], dict(content["tasks"])
        missing = [root for root in roots if root not in bodies]
    except (KeyError, TypeError, ValueError):
        raise ValueError("the text has no `roots` and `tasks`") from None
    if missing:
        raise ValueError(f"the roots {missing} are not among the tasks")
    return tasks_from_bodies(roots, bodies)


def tasks_from_bodies(
    roots: Iterable[str], bodies: Mapping[str, Any], made: dict[str, BaseTask] | None = None
) -> list[BaseTask]:
    """Return tasks by id, given the bodies of all that they refer to, in any order.

    `made` are tasks that are there already; what is made is added to it. Raises `ValueError` as
    `dag_from_json`.
    """
    made = {} if made is None else made
    begun: set[str] = set()
    stack = list(roots)
    while stack:
        key = stack[-1]
        if key in made:
            stack.pop()
            continue
        below = [k for k in references(bodies[key]) if k in bodies and k not in made]
        if below and key not in begun:
            begun.add(key)
            stack.extend(below)
            continue
        stack.pop()
        made[key] = _make(key, bodies[key], made)
    return [made[root] for root in roots]


def references(value: Any) -> Iterator[str]:
    """Return the ids in a JSON value that stand, as `{"id": "..."}`, for tasks."""
    if (key := referred(value)) is not None:
        yield key
    for _, inner in children(value) or ():
        yield from references(inner)


def _make(key: str, body: Any, made: Mapping[str, BaseTask]) -> BaseTask:
    try:
        task = BaseTask.model_validate(with_tasks(body, made))
    except ValidationError as error:
        raise ValueError(
            f"{key} can't be made of its body: {error}\n(AliasTask stands for the output of a task "
            "whose class has changed)"
        ) from None
    if id_text(task) != key:
        raise ValueError(f"{task!r} was written as {key}, and has the id {task.id} here")
    return task


def with_tasks(value: Any, made: Mapping[str, BaseTask]) -> Any:
    """Return a JSON value with the tasks in place of references to them."""
    if (key := referred(value)) is not None and key in made:
        return made[key]
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {name: with_tasks(inner, made) for name, inner in items}
    if isinstance(value, list):
        return [with_tasks(inner, made) for inner in cast("list[Any]", value)]
    return value
