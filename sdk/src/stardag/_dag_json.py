"""Whole DAGs as JSON, each task once, however often it occurs.

    {"roots": ["<id>", ...], "tasks": {"<id>": {"__namespace": ..., "__name": ..., ...}, ...}}

Tasks are in an order in which those a task refers to, as `{"id": "<id>"}`, come before it. A
task's own `model_dump_json` writes every nested task in full instead, and again wherever it
occurs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from stardag._identified import id_text, nested
from stardag._task import BaseTask, TaskStruct, flatten_task_struct

if TYPE_CHECKING:
    from collections.abc import Iterator


def dag_to_json(tasks: TaskStruct) -> str:
    """Return the tasks, and all that their parameters hold, as one JSON text."""
    roots = flatten_task_struct(tasks)
    bodies = {id_text(task): json.loads(task.params_json()) for task in _bottom_up(roots)}
    return json.dumps({"roots": [id_text(root) for root in roots], "tasks": bodies})


def dag_from_json(text: str | bytes) -> list[BaseTask]:
    """Return the roots that `dag_to_json` wrote; what they share is one object.

    Raises `ValueError` for another kind of text, for a type that no imported class has, and
    if a task does not have the id under which it was written.
    """
    content = json.loads(text)
    try:
        roots, bodies = content["roots"], content["tasks"]
    except (KeyError, TypeError):
        raise ValueError("the text has no `roots` and `tasks`") from None
    made: dict[str, BaseTask] = {}
    for key, body in bodies.items():
        task = BaseTask.model_validate(_with_tasks(body, made))
        if id_text(task) != key:
            raise ValueError(f"{task!r} was written as {key}, and has the id {task.id} here")
        made[key] = task
    return [made[root] for root in roots]


def _bottom_up(roots: list[BaseTask]) -> Iterator[BaseTask]:
    """Return each task once, after those in its parameters; iterative, as DAGs are deep."""
    seen: set[str] = set()
    stack: list[tuple[BaseTask, Iterator[BaseTask]]] = []
    for root in roots:
        pending: BaseTask | None = root
        while pending is not None or stack:
            if pending is not None:
                if id_text(pending) not in seen:
                    seen.add(id_text(pending))
                    stack.append((pending, cast("Iterator[BaseTask]", nested(pending))))
                pending = None
            if not stack:
                break
            task, below = stack[-1]
            pending = next(below, None)
            if pending is None:
                stack.pop()
                yield task


def _with_tasks(value: Any, made: dict[str, BaseTask]) -> Any:
    """Return a JSON value with the tasks in place of references to them."""
    if isinstance(value, dict):
        item = cast("dict[str, Any]", value)
        if item.keys() == {"id"} and item["id"] in made:
            return made[item["id"]]
        return {key: _with_tasks(inner, made) for key, inner in item.items()}
    if isinstance(value, list):
        return [_with_tasks(inner, made) for inner in cast("list[Any]", value)]
    return value
