"""What a check found, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.text import Text

from stardag import _colours
from stardag.cli import output
from stardag.cli.views import cells, tables

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_SHOWN = 50


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
            yield cells.line(note, _colours.MUTED)
        if not self.findings:
            yield Text("all of it holds", style=_colours.GREEN)
            return
        yield Text(f"{len(self.findings)} do not hold:", style=_colours.FAILURE)
        table = tables.rows()
        for column in ("PROBLEM", "TASK", "ID"):
            table.add_column(column, no_wrap=column != "TASK")
        table.add_column("WHAT", overflow="fold")
        ids = [found.task_id for found in self.findings]
        length = cells.id_lengths(ids, wide=options.max_width >= output.WIDE)
        for found in self.findings[:_SHOWN]:
            table.add_row(
                Text(found.problem, style=_colours.RED),
                cells.cut(found.name),
                cells.line(found.task_id[:length]),
                cells.line(found.message),
            )
        yield table
        if len(self.findings) > _SHOWN:
            more = len(self.findings) - _SHOWN
            yield Text(f"… and {more} more; --json has all", style=_colours.MUTED)

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
