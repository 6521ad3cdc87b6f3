"""Two builds compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from stardag import _colours
from stardag.cli import output
from stardag.cli.lists import listing
from stardag.cli.views import cells, tables
from stardag.client import rows
from stardag.v1.build_service_pb2 import CompareBuildsRequest, CompareBuildsResponse, TaskChangeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from stardag.client import Client
    from stardag.v1.build_service_pb2 import TaskChange

_WORDS = {
    TaskChangeKind.TASK_CHANGE_KIND_ADDED: "new",
    TaskChangeKind.TASK_CHANGE_KIND_REMOVED: "gone",
    TaskChangeKind.TASK_CHANGE_KIND_STATUS: "changed",
    TaskChangeKind.TASK_CHANGE_KIND_SAME: "the same",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What sets a build apart from its base; draws itself."""

    first: CompareBuildsResponse
    """The first page, which has the builds and all counts."""
    changes: Sequence[TaskChange]
    """What differs in status, or is in one build only: what went wrong in the build first."""
    more: bool = False
    """Whether there are more changes than these."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw both builds, the counts, and the changes in a table."""
        table = Table.grid(padding=(0, 2, 0, 0))
        for _ in ("word", "id", "status", "start", "time"):
            table.add_column(no_wrap=True)
        for word, build in (("base", self.first.base_build), ("build", self.first.build)):
            table.add_row(
                Text(word, style=_colours.MUTED),
                cells.line(build.build_id),
                cells.coloured(cells.build_status(build)),
                cells.moment(build.start_time, short=True),
                cells.took(build),
                cells.cut(build.name),
            )
        yield table
        told = [f"{c.count} {_WORDS.get(c.kind, c.kind)}" for c in self.first.counts]
        yield Text(f"tasks: {', '.join(told) or 'none'}")
        if self.changes:
            yield ""
            yield self._table(options.max_width >= output.WIDE)

    def _table(self, wide: bool) -> Table:
        table = tables.rows()
        for column in ("", "TASK", "ID", "BASE", "BUILD"):
            table.add_column(column, no_wrap=column != "TASK")
        states = [c.state if c.HasField("state") else c.base_state for c in self.changes]
        length = cells.id_lengths([state.task_id for state in states], wide=wide)
        for change, state in zip(self.changes, states, strict=True):
            table.add_row(
                Text(_WORDS.get(change.kind, str(change.kind)), style=_colours.MUTED),
                cells.cut(cells.type_name(state)),
                cells.line(state.task_id[:length]),
                *(
                    cells.coloured(cells.task_status(each)) if each.task_id else ""
                    for each in (change.base_state, change.state)
                ),
            )
        return table

    def as_json(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        return {
            "base_build": output.as_dict(self.first.base_build),
            "build": output.as_dict(self.first.build),
            "counts": [output.as_dict(count) for count in self.first.counts],
            "changes": [output.as_dict(change) for change in self.changes],
        }


def read(client: Client, base_id: str, build_id: str, limit: int | None) -> Comparison:
    """Compare a build with another; at most `limit` changes, all for None.

    Raises `NotFoundError`, and `ServerError` otherwise.
    """
    request = CompareBuildsRequest(base_build_id=base_id, build_id=build_id, page_size=1)
    first = client.builds.CompareBuilds(request)
    request.kinds.extend(kind for kind in _WORDS if kind != TaskChangeKind.TASK_CHANGE_KIND_SAME)
    request.page_size = listing.PAGE
    changes = list(rows(client.builds.CompareBuilds, request, lambda page: page.changes))
    changes.sort(key=_urgency)
    return Comparison(first, changes[:limit], limit is not None and len(changes) > limit)


def _urgency(change: TaskChange) -> tuple[bool, int]:
    """Return the place of a change: what is gone is last."""
    return not change.HasField("state"), cells.urgency(cells.task_status(change.state))
