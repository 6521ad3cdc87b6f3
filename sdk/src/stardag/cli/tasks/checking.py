"""What is recorded of tasks, held against their code and their outputs as they are now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stardag._dag_json import references
from stardag._task import BaseTask, flatten_task_struct
from stardag.build.existence import are_complete
from stardag.cli.lists import records
from stardag.cli.targets.verification import COMPLETE, verify_outputs
from stardag.cli.tasks.findings import Check
from stardag.cli.tasks.remaking import make_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from stardag.client import Client
    from stardag.v1.task_pb2 import Task, TaskState

_ELSEWHERE = "memory://"
"""Where the outputs are that were only ever seen by the process that made them."""


def recorded(client: Client, build_id: str) -> Check:
    """Check the tasks of a build: outputs where they were said to be, ids of imported types.

    Raises `NotFoundError`, and `ServerError` otherwise.
    """
    states = list(client.list_task_states(build_id))
    check = Check(tasks=len(states))
    _look_for_outputs(check, [state for state in states if state.status in COMPLETE])
    make_ids(check, _with_inputs(client, [state.task_id for state in states]))
    return check


def defined(client: Client, tasks: Sequence[BaseTask]) -> Check:
    """Check that tasks, and all they depend on, are recorded by their ids, and are there.

    Raises `ServerError`, and what a task raises when it is asked if it is complete.
    """
    tasks = _with_dependencies(tasks)
    check = Check(tasks=len(tasks), ids=len(tasks))
    known = {task.task_id: task for task in records.find(client, [str(task.id) for task in tasks])}
    made: list[BaseTask] = []
    for task in tasks:
        record = known.get(str(task.id))
        if record is None or record.placeholder:
            check.find(
                "NOT_RECORDED",
                str(task.id),
                _name(task),
                "no task with this id is known: never built, or its id has changed since",
            )
        elif record.latest_state.status in COMPLETE:
            made.append(task)
    check.outputs = len(made)
    for task, complete in zip(made, are_complete(made, in_threads=True), strict=True):
        if not complete:
            where = known[str(task.id)].output_uri
            check.find("OUTPUT_MISSING", str(task.id), _name(task), f"nothing is at {where}")
    return check


def _look_for_outputs(check: Check, states: Sequence[TaskState]) -> None:
    seen = [s for s in states if s.output_uri and not s.output_uri.startswith(_ELSEWHERE)]
    check.outputs = len(seen)
    for each in verify_outputs(seen).problems:
        lost = f"; it has lost {', '.join(each.missing)}" if each.missing else ""
        message = f"{each.output_uri} is {each.problem}{lost}"
        check.find(f"OUTPUT_{each.problem.upper()}", each.task_id, each.task, message)
    if unseen := len(states) - len(seen):
        check.notes.append(f"{unseen} outputs are in no place that can be looked at from here")


def _with_dependencies(tasks: Iterable[BaseTask]) -> list[BaseTask]:
    found: dict[UUID, BaseTask] = {}
    pending = list(tasks)
    while pending:
        task = pending.pop()
        if task.id not in found:
            found[task.id] = task
            pending += flatten_task_struct(task.requires())
    return list(found.values())


def _with_inputs(client: Client, ids: Sequence[str]) -> list[Task]:
    """Return those of the tasks that are known, and those that their parameters hold."""
    found: dict[str, Task] = {}
    pending = list(ids)
    while pending:
        read = records.find(client, pending)
        found |= {task.task_id: task for task in read}
        held = {key for task in read for key in references(json.loads(task.params_json or "{}"))}
        pending = [key for key in held if key not in found]
    return list(found.values())


def _name(task: BaseTask) -> str:
    cls = type(task)
    return f"{cls._type_namespace}.{cls._type_name}" if cls._type_namespace else cls._type_name
