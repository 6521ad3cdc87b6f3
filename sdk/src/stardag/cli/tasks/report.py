"""What is told of one task: what it is, and what became of it in each build."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.panel import Panel
from rich.text import Text

from stardag import _colours
from stardag.cli import output
from stardag.cli.lists import listing, producers
from stardag.cli.views import cells, tables, traces
from stardag.v1.registry_service_pb2 import GetTaskHistoryRequest
from stardag.v1.task_pb2 import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from stardag.client import Client
    from stardag.v1.registry_service_pb2 import Producer
    from stardag.v1.task_pb2 import Task, TaskState

_MOST_DEPENDENCIES = 5


@dataclass(frozen=True, slots=True)
class TaskReport:
    """A task as the server had it when it was read; draws itself."""

    task: Task
    history: Sequence[TaskState]
    """Its states in the builds that had it, the build heard of last first."""
    more: bool
    """Whether more builds had it."""
    producer: Producer | None
    """The latest attempt that completed it, if one did."""
    trace_url: str | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the task, why it failed last if it did, its parameters and its history."""
        task, latest = self.task, self.task.latest_state
        known = latest.build_id != ""
        status = cells.coloured(cells.task_status(latest) if known else "NEVER BUILT")
        name = cells.cut(cells.type_name(task))
        yield Text("  ").join([status, cells.line(task.task_id), name])
        if latest.status == TaskStatus.TASK_STATUS_FAILED:
            failure = latest.failure
            text = failure.stack_trace.rstrip() or cells.reason(failure)
            yield Panel(cells.block(text), border_style=_colours.RED)
        yield ""
        table = tables.facts()
        dependencies = [*task.dependency_ids[:_MOST_DEPENDENCIES]]
        more = len(task.dependency_ids) - len(dependencies)
        told = {
            "version": cells.line(task.version),
            "output": cells.line(task.output_uri),
            "depends on": cells.block(
                "\n".join([*dependencies, *[f"and {more} more"] * (more > 0)])
            ),
            "made by": cells.line(self._made_by()),
            "trace": self._trace(),
            "known since": Text(cells.moment(task.create_time)),
            "parameters": cells.block(_indented(task.params_json)),
        }
        for fact, value in told.items():
            if value.plain:
                table.add_row(fact, value)
        yield table
        if self.history:
            yield ""
            yield tables.history(self.history, wide=options.max_width >= output.WIDE)

    def _made_by(self) -> str:
        if (made := self.producer) is None:
            return ""
        return f"build {made.build_id}, attempt {made.attempt}"

    def _trace(self) -> Text:
        """Return where the latest attempt is: that of the latest build, or else what made it."""
        state = self.task.latest_state
        latest = state if state.attempt else self.producer
        if latest is None:
            return Text()
        return traces.span_of(latest.build_id, latest.task_id, latest.attempt, self.trace_url)

    def as_json(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return {
            "task": output.as_dict(self.task),
            "history": [output.as_dict(state) for state in self.history],
            "producers": [output.as_dict(self.producer)] if self.producer is not None else [],
        }


def read(client: Client, task_id: str, limit: int, trace_url: str | None) -> TaskReport:
    """Read a task and its latest states, at most `limit`; its trace is where `trace_url` says.

    Raises `NotFoundError`, and `ServerError` otherwise.
    """
    task = client.get_task(task_id)
    request = GetTaskHistoryRequest(task_id=task_id)
    history = listing.first(
        client.registry.GetTaskHistory, request, lambda page: page.task_states, limit
    )
    made = producers.find(client, [task_id])
    return TaskReport(task, *history, made[0] if made else None, trace_url)


def _indented(params_json: str) -> str:
    """Return parameters with a line each; what is no JSON, as it is."""
    try:
        values: Any = json.loads(params_json)
        return "\n".join(
            f"{name} = {json.dumps(value, ensure_ascii=False)}"
            for name, value in values.items()
            if not name.startswith("__") and name != "version"  # that has a line of its own
        )
    except (ValueError, AttributeError, RecursionError):
        return params_json
