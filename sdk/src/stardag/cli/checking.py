"""What is recorded of tasks, held against their code and their outputs as they are now."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from rich.text import Text

from stardag._dag_json import references, with_tasks
from stardag._errors import StardagError
from stardag._explain import unequal
from stardag._registry import NAME_KEY, NAMESPACE_KEY
from stardag._task import BaseTask, flatten_task_struct
from stardag.build.existence import are_complete
from stardag.cli import cells, tables
from stardag.cli.verification import COMPLETE, verify_outputs
from stardag.v1.registry_service_pb2 import BatchGetTasksRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from rich.console import Console, ConsoleOptions, RenderResult

    from stardag.client import Client
    from stardag.v1.task_pb2 import Task, TaskState

_BATCH = 1000
_SHOWN = 50
_ELSEWHERE = "memory://"
"""Where the outputs are that were only ever seen by the process that made them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold any more."""

    problem: str
    """OUTPUT_MISSING, OUTPUT_INCOMPLETE, ID_CHANGED, UNREADABLE or NOT_RECORDED."""
    task_id: str
    name: str
    """The task type's namespace and name."""
    message: str


@dataclass(slots=True)
class Check:
    """What was checked and found; draws itself."""

    tasks: int = 0
    """Tasks that were looked at."""
    outputs: int = 0
    """Outputs that were looked for."""
    ids: int = 0
    """Ids that were made anew."""
    notes: list[str] = field(default_factory=list[str])
    """What could not be checked, and why."""
    findings: list[Finding] = field(default_factory=list[Finding])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the numbers, then what was found."""
        yield Text(
            f"{cells.plural(self.tasks, 'task')}: {cells.plural(self.outputs, 'output')} looked "
            f"for, {cells.plural(self.ids, 'id')} made anew"
        )
        for note in self.notes:
            yield cells.line(note, "dim")
        if not self.findings:
            yield Text("all of it holds", style="green")
            return
        yield Text(f"{len(self.findings)} do not hold:", style="bold red")
        table = tables.rows()
        for column in ("PROBLEM", "TASK", "ID"):
            table.add_column(column, no_wrap=column != "TASK")
        table.add_column("WHAT", overflow="fold")
        length = cells.id_lengths([f.task_id for f in self.findings], wide=False)
        for found in self.findings[:_SHOWN]:
            table.add_row(
                Text(found.problem, style="red"),
                cells.cut(found.name),
                cells.line(found.task_id[:length]),
                cells.line(found.message),
            )
        yield table
        if len(self.findings) > _SHOWN:
            yield Text(f"… and {len(self.findings) - _SHOWN} more; --json has all", style="dim")

    def as_json(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return {
            "tasks": self.tasks,
            "outputs": self.outputs,
            "ids": self.ids,
            "notes": self.notes,
            "findings": [
                {name: getattr(found, name) for name in Finding.__slots__}
                for found in self.findings
            ],
        }

    def find(self, problem: str, task_id: str, name: str, message: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(problem, task_id, name, message))


def recorded(client: Client, build_id: str) -> Check:
    """Check the tasks of a build: outputs where they were said to be, ids of imported types.

    Raises `NotFoundError`, and `ServerError` otherwise.
    """
    states = list(client.list_task_states(build_id))
    check = Check(tasks=len(states))
    _look_for_outputs(check, [state for state in states if state.status in COMPLETE])
    _make_ids(check, _read(client, [state.task_id for state in states]))
    return check


def defined(client: Client, tasks: Sequence[BaseTask]) -> Check:
    """Check that tasks, and all they depend on, are recorded by their ids, and are there.

    Raises `ServerError`, and what a task raises when it is asked if it is complete.
    """
    tasks = _with_dependencies(tasks)
    check = Check(tasks=len(tasks), ids=len(tasks))
    known = {task.task_id: task for task in _read(client, [str(task.id) for task in tasks])}
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


def _make_ids(check: Check, records: Sequence[Task]) -> None:
    """Make each task of a known type anew, of tasks that its parameters hold if these hold."""
    by_id = {record.task_id: record for record in records}
    bodies = {key: json.loads(record.params_json or "{}") for key, record in by_id.items()}
    made: dict[str, BaseTask] = {}
    unknown: set[str] = set()
    for key in _bottom_up(bodies):
        body, record = bodies[key], by_id[key]
        assert BaseTask._family is not None
        if not BaseTask._family.knows(body.get(NAMESPACE_KEY, ""), body.get(NAME_KEY)):
            unknown.add(cells.type_name(record))
            continue
        if not all(below in made for below in references(body)):
            continue  # what is wrong is told of the input, or can't be known
        check.ids += 1
        try:
            made[key] = task = BaseTask.model_validate(with_tasks(body, made))
            identity = task.identity_json()
        except (ValidationError, StardagError) as error:
            made.pop(key, None)
            why = " ".join(str(error).split())
            check.find("UNREADABLE", key, cells.type_name(record), why)
            continue
        if str(task.id) != key:
            del made[key]
            message = f"it is {task.id} now: {_difference(record.identity_json, identity)}"
            check.find("ID_CHANGED", key, cells.type_name(record), message)
    if unknown:
        names = ", ".join(sorted(unknown)[:5]) + (", …" if len(unknown) > 5 else "")
        check.notes.append(f"ids of {names} are not made anew: --module imports what defines them")


def _difference(earlier: str, now: str) -> str:
    found = unequal(json.loads(earlier), json.loads(now), "")
    return ", ".join(f"{path} was {left!r} and is {right!r}" for path, left, right in found)


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


def _with_dependencies(tasks: Iterable[BaseTask]) -> list[BaseTask]:
    found: dict[UUID, BaseTask] = {}
    pending = list(tasks)
    while pending:
        task = pending.pop()
        if task.id not in found:
            found[task.id] = task
            pending += flatten_task_struct(task.requires())
    return list(found.values())


def _read(client: Client, ids: Sequence[str]) -> list[Task]:
    """Return those of the tasks that are known."""
    found: list[Task] = []
    pending = list(ids)
    while pending:
        asked, pending = pending[:_BATCH], pending[_BATCH:]
        response = client.registry.BatchGetTasks(BatchGetTasksRequest(task_ids=asked))
        found += response.tasks
        pending += response.unread_task_ids
    return found


def _name(task: BaseTask) -> str:
    cls = type(task)
    return f"{cls._type_namespace}.{cls._type_name}" if cls._type_namespace else cls._type_name
