"""Why a task ran, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from stardag import _colours
from stardag.cli.views import cells, tables
from stardag.v1.registry_service_pb2 import RunCause

if TYPE_CHECKING:
    from rich.console import RenderableType

    from stardag.v1.registry_service_pb2 import ExplainTaskResponse, IngredientDifference
    from stardag.v1.task_pb2 import TaskState

_LONGEST = 240
"""Characters of a value that are shown; JSON has all of it."""
_CONTEXT = 40
"""Characters that are shown before those that differ."""
_WHY = {
    RunCause.RUN_CAUSE_NOT_RUN: "It did not run: no build did more than find it, wait for it, "
    "reuse it or skip it.",
    RunCause.RUN_CAUSE_FIRST_OF_TYPE: "No task of its type ran before.",
    RunCause.RUN_CAUSE_NEW_ID: "Its id is new: it differs from every task of its type that ran "
    "before.",
    RunCause.RUN_CAUSE_OUTPUT_MISSING: "It was complete before, and its output was not there any "
    "more, or not where this build looked.",
    RunCause.RUN_CAUSE_NEVER_COMPLETED: "It was tried before, and never completed.",
}


def drawn(task_id: str, found: ExplainTaskResponse) -> RenderableType:
    """Return what is known of why a task ran, for the console."""
    why = _WHY.get(found.cause) or f"Why is not known here ({cells.word(RunCause, found.cause)})."
    parts: list[RenderableType] = []
    if found.HasField("state"):
        parts.append(cells.line(f"{cells.type_name(found.state)} {task_id} {_ran(found.state)}"))
    parts.append(Text(why, style="bold"))
    if found.cause == RunCause.RUN_CAUSE_NOT_RUN:
        parts.append(cells.line(f"`stardag tasks show {task_id}` tells what became of it."))
    if found.HasField("nearest_task"):
        nearest = found.nearest_task
        parts.append(
            cells.line(
                f"The nearest is {cells.type_name(nearest)} {nearest.task_id}, which "
                f"{_ran(found.earlier_state)}. They differ in:"
            )
        )
        parts += ["", _differences(found)]
        if found.truncated:
            parts.append(Text("… and in more", style=_colours.MUTED))
    elif found.HasField("earlier_state"):
        parts.append(cells.line(f"Before, it {_ran(found.earlier_state)}."))
    return Group(*parts)


def _ran(state: TaskState) -> str:
    when = cells.moment(state.start_time)
    return (
        f"ran in build {state.build_id}{f' at {when}' if when else ''}: {cells.task_status(state)}"
    )


def _values(difference: IngredientDifference) -> tuple[str, str]:
    """Return both values; of long ones, what is near the first place at which they differ."""
    earlier, now = map(_readable_json, (difference.earlier_json, difference.json))
    start = max(0, cells.common_length(earlier, now) - _CONTEXT)
    return _part(earlier, start), _part(now, start)


def _readable_json(text: str) -> str:
    """Return a JSON value with its characters as they are, not as escapes."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False) if text else "(none)"
    except (ValueError, RecursionError):
        return text


def _part(text: str, start: int) -> str:
    if len(text) <= _LONGEST:
        return text
    end = start + _LONGEST
    return f"{'…' * (start > 0)}{text[start:end]}{'…' * (end < len(text))}"


def _differences(found: ExplainTaskResponse) -> Table:
    table = tables.rows()
    for column in ("INGREDIENT", "BEFORE", "NOW"):
        table.add_column(column, overflow="fold")
    for difference in found.differences:
        table.add_row(
            cells.line(difference.path),
            *map(cells.line, _values(difference)),
        )
    return table
