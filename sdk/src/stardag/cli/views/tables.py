"""Builds and tasks as Rich tables, a row each; narrow ones show less of an id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from stardag import _colours
from stardag.cli.views import cells
from stardag.v1.task_pb2 import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stardag.v1.build_pb2 import Build
    from stardag.v1.task_pb2 import Task, TaskState


def builds(found: Sequence[Build], *, wide: bool = True) -> Table:
    """Return builds, one a line."""
    table = rows()
    length = cells.id_lengths([build.build_id for build in found], wide=wide)
    for column in ("BUILD", "STATUS", "NAME", "STARTED"):
        table.add_column(column, no_wrap=column != "NAME")
    table.add_column("TOOK", no_wrap=True, justify="right")
    if wide:
        table.add_column("TASKS")
    else:
        table.add_column("TASKS", no_wrap=True, justify="right")
        table.add_column("FAILED", no_wrap=True, justify="right", style=cells.colour("FAILED"))
    for build in found:
        numbers = {count.status: count.count for count in build.task_counts}
        failed = numbers.get(TaskStatus.TASK_STATUS_FAILED, 0)
        narrow = (str(sum(numbers.values())), str(failed or ""))
        table.add_row(
            cells.line(build.build_id[:length]),
            cells.coloured(cells.build_status(build)),
            cells.cut(build.name),
            cells.moment(build.start_time, short=not wide),
            cells.took(build),
            *((cells.counts(build.task_counts),) if wide else narrow),
        )
    return table


def task_states(found: Sequence[TaskState], *, wide: bool = True) -> Table:
    """Return what became of tasks in a build, one a line."""
    table = rows()
    length = cells.id_lengths([state.task_id for state in found], wide=wide)
    for column in ("STATUS", "TASK", "ID"):
        table.add_column(column, no_wrap=column != "TASK")
    table.add_column("TOOK", no_wrap=True, justify="right")
    failed = any(state.HasField("failure") for state in found)
    if failed:
        table.add_column("WHY")
    for state in found:
        table.add_row(
            cells.coloured(cells.task_status(state)),
            cells.cut(cells.type_name(state)),
            cells.line(state.task_id[:length]),
            cells.course(state),
            *([cells.cut(cells.reason(state.failure))] * failed),
        )
    return table


def tasks(found: Sequence[Task], *, wide: bool = True) -> Table:
    """Return tasks with their latest states, one a line."""
    table = rows()
    length = cells.id_lengths([task.task_id for task in found], wide=wide)
    for column in ("TASK", "STATUS", "ENDED"):
        table.add_column(column, no_wrap=True)
    table.add_column("NAME", max_width=60 if wide else 24)
    table.add_column("PARAMETERS")
    for task in found:
        state = task.latest_state
        known = state.HasField("start_time") or state.build_id
        table.add_row(
            cells.line(task.task_id[:length]),
            cells.coloured(cells.task_status(state) if known else ""),
            cells.moment(state.end_time, short=not wide),
            cells.cut(cells.type_name(task)),
            cells.cut(cells.parameters(task)),
        )
    return table


def history(found: Sequence[TaskState], *, wide: bool = True) -> Table:
    """Return what became of one task in each of some builds, one a line."""
    table = rows()
    length = cells.id_lengths([state.build_id for state in found], wide=wide)
    for column in ("BUILD", "STATUS", "STARTED"):
        table.add_column(column, no_wrap=True)
    table.add_column("TOOK", no_wrap=True, justify="right")
    table.add_column("WHY")
    for state in found:
        table.add_row(
            cells.line(state.build_id[:length]),
            cells.coloured(cells.task_status(state)),
            cells.moment(state.start_time, short=not wide),
            cells.course(state),
            cells.cut(cells.reason(state.failure)),
        )
    return table


def facts() -> Table:
    """Return an empty table for names and what there is to say under each."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style=_colours.MUTED, no_wrap=True)
    table.add_column(overflow="fold")
    return table


def rows() -> Table:
    """Return an empty table with a row a line."""
    return Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
