"""Ids made anew: from recorded parameters, by the code as it is now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stardag._dag_json import references, with_tasks
from stardag._errors import StardagError
from stardag._explain import unequal
from stardag._registry import NAME_KEY, NAMESPACE_KEY
from stardag._task import BaseTask
from stardag.cli.views import cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stardag.cli.tasks.findings import Check
    from stardag.v1.task_pb2 import Task

_NAMED = 5


def make_ids(check: Check, records: Iterable[Task]) -> None:
    """Make the tasks of imported types anew, and note in `check` whose id is another.

    A task is made of those that its parameters hold: where these don't hold any more, neither
    does it, and only they are told.
    """
    by_id = {record.task_id: record for record in records}
    bodies = {key: json.loads(record.params_json or "{}") for key, record in by_id.items()}
    made: dict[str, BaseTask] = {}
    unknown: set[str] = set()
    unmade = 0
    for key in _bottom_up(bodies):
        body, name = bodies[key], cells.type_name(by_id[key])
        assert BaseTask._family is not None
        if not BaseTask._family.knows(body.get(NAMESPACE_KEY, ""), body.get(NAME_KEY)):
            unknown.add(name)
        elif not all(below in made for below in references(body)):
            unmade += 1
        else:
            check.ids += 1
            if task := _made(check, by_id[key], with_tasks(body, made)):
                made[key] = task
    if unknown:
        names = ", ".join(sorted(unknown)[:_NAMED]) + ", …" * (len(unknown) > _NAMED)
        check.notes.append(f"ids of {names} are not made anew: --module imports what defines them")
    if unmade:
        check.notes.append(f"{unmade} ids are not made anew: they have inputs that were not")


def _made(check: Check, record: Task, body: Any) -> BaseTask | None:
    """Return the task of a body; None, and a finding, if it is not as it was recorded."""
    name = cells.type_name(record)
    try:
        task = BaseTask.model_validate(body)
        identity = task.identity_json()
    except (ValidationError, StardagError) as error:
        check.find("UNREADABLE", record.task_id, name, " ".join(str(error).split()))
        return None
    if str(task.id) == record.task_id:
        return task
    differences = ", ".join(
        f"{path} was {left!r} and is {right!r}"
        for path, left, right in unequal(json.loads(record.identity_json), json.loads(identity), "")
    )
    check.find("ID_CHANGED", record.task_id, name, f"it is {task.id} now: {differences}")
    return None


def _bottom_up(bodies: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids after those that their bodies refer to."""
    entered: set[str] = set()
    left: set[str] = set()
    stack = list(bodies)
    while stack:
        key = stack[-1]
        if key in entered:
            stack.pop()
            if key not in left:
                left.add(key)
                yield key
            continue
        entered.add(key)
        stack += [below for below in references(bodies[key]) if below in bodies]
