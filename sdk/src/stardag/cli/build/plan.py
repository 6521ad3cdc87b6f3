"""What a build would do, found without running anything."""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from stardag._task import Task
from stardag.build.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stardag._task import BaseTask
    from stardag.build.graph import Found


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """What a build would do with a task."""

    task_id: str
    task: str
    action: Literal["run", "reuse"]
    reason: str
    """Why, in a few words."""
    output_uri: str | None
    needed_by: list[str] = field(default_factory=list[str])
    """Ids of the tasks that would run and need it directly; empty for what was asked for alone."""
    may_need_more: bool = False
    """Whether it finds out what else it needs while it runs, so that more may run than is told."""


def look_ahead(
    tasks: Sequence[BaseTask], recall: Callable[[Sequence[BaseTask]], dict[str, str]]
) -> list[PlannedTask]:
    """Return what a build of `tasks` would do, each after what it needs.

    As in a build, what complete tasks are made from is not looked at. `recall` returns what
    is known of the past of tasks, by their ids. Raises what `Graph.discover` raises.
    """
    found = Graph(in_threads=True).discover(tasks)
    needed_by: dict[str, list[str]] = {}
    for each in found:
        for required in each.requires or ():
            needed_by.setdefault(required, []).append(str(each.task.id))
    past = recall([each.task for each in found])
    return [_planned(each, needed_by, past) for each in found]


def print_plan(planned: Sequence[PlannedTask], *, limit: int, json: bool) -> None:
    """Print what a build would do: as JSON, or as a table of the first `limit` tasks."""
    from stardag.cli import output
    from stardag.cli.lists import listing
    from stardag.cli.views import cells, tables

    running = [each for each in planned if each.action == "run"]
    reused = [each for each in planned if each.action == "reuse"]
    if json:
        counts = {"run": len(running), "reuse": len(reused)}
        output.print_json({"counts": counts, "tasks": [asdict(each) for each in planned]})
        return
    console = output.console()
    table = tables.rows()
    length = cells.id_lengths([each.task_id for each in planned], wide=output.is_wide())
    table.add_column("WOULD", no_wrap=True)
    table.add_column("TASK", overflow="fold")
    table.add_column("ID", no_wrap=True)
    table.add_column("WHY", overflow="fold")
    for each in (*running, *reused)[:limit]:
        task, reason = cells.line(each.task), cells.line(each.reason)
        table.add_row(each.action, task, each.task_id[:length], reason)
    console.print(table)
    console.print(f"{len(running)} would run, {len(reused)} would be reused")
    if any(each.may_need_more for each in running):
        console.print("Some of them yield what else they need, which may be more to run.")
    listing.tell_cut(limit, len(planned) > limit)


def _planned(
    found: Found, needed_by: Mapping[str, list[str]], past: Mapping[str, str]
) -> PlannedTask:
    task, is_complete = found.task, found.requires is None
    task_id, uri = str(task.id), task.output_uri()
    reason = _reason(task, uri, is_complete=is_complete)
    return PlannedTask(
        task_id,
        repr(task),
        "reuse" if is_complete else "run",
        f"{reason}; {past[task_id]}" if task_id in past else reason,
        uri,
        needed_by.get(task_id, []),
        not is_complete and _is_generator(task),
    )


def _reason(task: BaseTask, uri: str | None, *, is_complete: bool) -> str:
    if type(task).complete is not Task.complete or uri is None:
        return f"its complete() says {is_complete}"
    return "its output is there" if is_complete else "its output is missing"


def _is_generator(task: BaseTask) -> bool:
    forms = (type(task).run, type(task).run_aio)
    return any(inspect.isgeneratorfunction(f) or inspect.isasyncgenfunction(f) for f in forms)
