"""A DAG as a tree of lines: what was asked for at the top, what it depends on beneath.

Each node is drawn once, with what is beneath it; where it occurs again, it only says so. A DAG of
too many tasks is drawn with one node for each type of task.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

from stardag import _colours
from stardag.cli import output
from stardag.cli.views import cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_LINES = 40
_MOST_TASKS = 30
_STEP = 3
"""Columns by which a dependency is further in than what depends on it."""
_LABEL = 44
"""Columns that are left for a node's own text, at the least."""


@dataclass(slots=True)
class Node:
    """A task, or all tasks of one type."""

    name: str
    """Name of the type, as one line."""
    statuses: Counter[str] = field(default_factory=Counter[str])
    task_id: str = ""
    """Id of the task; empty if the node stands for several."""
    course: str = ""
    """How it went, in a few words, such as how long it took."""
    dependencies: dict[int, None] = field(default_factory=dict[int, None])
    """Numbers of the nodes it depends on, each once."""

    def urgency(self) -> int:
        """Return how soon among its like the node is to be seen: the least first."""
        return min(map(cells.urgency, self.statuses))


def nodes_of(
    tasks: Sequence[tuple[str, str, str, str]], edges: Iterable[tuple[int, int]]
) -> list[Node]:
    """Return a node for each task: its type's name, status, id and how it went.

    An edge leads from the number of a task to that of one that depends on it.
    """
    nodes = [Node(name, Counter([status]), key, course) for name, status, key, course in tasks]
    for upstream, downstream in edges:
        nodes[downstream].dependencies[upstream] = None
    return nodes


def condensed(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes, or if they are too many one for each name; the first stays the first."""
    if len(nodes) <= _MOST_TASKS:
        return list(nodes)
    numbers = {name: n for n, name in enumerate(dict.fromkeys(node.name for node in nodes))}
    groups = [Node(name) for name in numbers]
    for node in nodes:
        group = groups[numbers[node.name]]
        group.task_id = "" if group.statuses else node.task_id
        group.course = node.course
        group.statuses.update(node.statuses)
        for upstream in node.dependencies:
            group.dependencies[numbers[nodes[upstream].name]] = None
    return groups


def tops(nodes: Sequence[Node]) -> list[int]:
    """Return the numbers of the nodes that no other depends on; of circles alone, the first."""
    needed = {d for n, node in enumerate(nodes) for d in node.dependencies if d != n}
    return [n for n in range(len(nodes)) if n not in needed] or [0][: len(nodes)]


def drawn(
    nodes: Sequence[Node], roots: Iterable[int], width: int, *, known: int = 0
) -> Iterator[Text]:
    """Yield the lines of a tree, none wider than `width`, and at most `MOST_LINES` and one.

    The last says how many nodes are not drawn, if any; `known` nodes need not be.
    """
    deepest = max(1, (width - _LABEL) // _STEP)
    ids = [node.task_id for node in nodes if node.task_id]
    length = cells.id_lengths(ids, wide=width >= output.WIDE)
    seen: set[int] = set()
    stack = [(root, "", "") for root in reversed(_sorted(nodes, roots))]
    for _ in range(MOST_LINES):
        if not stack:
            break
        number, branch, indent = stack.pop()
        again = number in seen
        yield _line(nodes[number], branch, again, length, width)
        seen.add(number)
        if again or len(indent) // _STEP >= deepest:
            continue
        below = [d for d in _sorted(nodes, nodes[number].dependencies) if d != number]
        bends = ["├─ "] * (len(below) - 1) + ["└─ "]
        for child, bend in zip(reversed(below), reversed(bends), strict=False):
            stack.append((child, indent + bend, indent + ("│  " if bend == "├─ " else "   ")))
    if (missing := len(nodes) - known - len(seen)) > 0:
        yield Text(f"… {missing} more are not drawn", style=_colours.MUTED)


def _sorted(nodes: Sequence[Node], numbers: Iterable[int]) -> list[int]:
    return sorted(numbers, key=lambda number: (nodes[number].urgency(), number))


def _line(node: Node, branch: str, again: bool, length: int, width: int) -> Text:
    if not node.task_id:
        statuses = sorted(node.statuses.items(), key=lambda each: cells.urgency(each[0]))
        told = ", ".join(f"{n} {status.lower()}" for status, n in statuses)
        rest = Text(f" x{node.statuses.total()}  ").append(told, cells.colour(statuses[0][0]))
    else:
        status = next(iter(node.statuses), "")
        rest = Text("  ").append_text(cells.coloured(status))
        rest.append("  ").append_text(cells.line(node.task_id[:length], _colours.MUTED))
        rest.append(f"  {node.course}".rstrip())
    if again:
        rest.append("  (above)", style=_colours.MUTED)
    name = Text(node.name)
    name.truncate(max(8, width - len(branch) - rest.cell_len), overflow="ellipsis")
    line = Text.assemble((branch, _colours.MUTED)).append_text(name).append_text(rest)
    line.truncate(width, overflow="ellipsis")
    return line
