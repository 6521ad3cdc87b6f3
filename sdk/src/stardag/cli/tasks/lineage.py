"""What a task depends on and what depends on it, as trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from stardag import _colours
from stardag.cli import output
from stardag.cli.views import cells, graph
from stardag.v1.registry_service_pb2 import GetLineageRequest, LineageDirection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from stardag.client import Client
    from stardag.v1.registry_service_pb2 import LineageNode

_UP, _DOWN = (
    LineageDirection.LINEAGE_DIRECTION_UPSTREAM,
    LineageDirection.LINEAGE_DIRECTION_DOWNSTREAM,
)
_TITLES = {_UP: "depends on", _DOWN: "needed by"}


@dataclass(frozen=True, slots=True)
class Lineage:
    """A task, first of the nodes, and what was found around it; draws itself."""

    nodes: Sequence[LineageNode]
    edges: Sequence[tuple[int, int]]
    """From the number of a node to that of one that depends on it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the task, then a tree for each direction in which there is anything."""
        task = self.nodes[0].task
        yield cells.line(f"{cells.type_name(task)} {task.task_id}", "bold")
        for direction, title in _TITLES.items():
            if lines := list(self._tree(direction, options.max_width)):
                yield ""
                yield Text(title, style=_colours.MUTED)
                yield from lines
        if len(self.nodes) == 1:
            alone = "nothing that is known depends on it, nor it on anything"
            yield Text(alone, style=_colours.MUTED)
        if any(node.cut for node in self.nodes):
            yield Text("… and further: the search was bounded", style=_colours.MUTED)

    def _tree(self, direction: LineageDirection.ValueType, width: int) -> Iterator[Text]:
        chosen = [n for n, node in enumerate(self.nodes) if n == 0 or node.direction == direction]
        numbers = {n: place for place, n in enumerate(chosen)}
        edges = [
            (numbers[a], numbers[b]) if direction == _UP else (numbers[b], numbers[a])
            for a, b in self.edges
            if a in numbers and b in numbers
        ]
        tasks = [self.nodes[n].task for n in chosen]
        states = [task.latest_state for task in tasks]
        nodes = graph.condensed(
            graph.nodes_of(
                [
                    (
                        cells.type_name(task),
                        cells.task_status(state) if state.build_id else "NEVER BUILT",
                        task.task_id,
                        cells.course(state),
                    )
                    for task, state in zip(tasks, states, strict=True)
                ],
                edges,
            )
        )
        if len(chosen) > 1:
            yield from graph.drawn(nodes, nodes[0].dependencies, width, known=1)

    def as_json(self) -> dict[str, Any]:
        """Return the same as a JSON object."""
        ids = [node.task.task_id for node in self.nodes]
        return {
            "nodes": [output.as_dict(node) for node in self.nodes],
            "edges": [{"upstream_task_id": ids[a], "task_id": ids[b]} for a, b in self.edges],
        }


def read(client: Client, task_id: str, direction: str, depth: int) -> Lineage:
    """Read the lineage of a task: `upstream`, `downstream` or `both`; `depth` 0 is no bound.

    Raises `NotFoundError`, and `ServerError` otherwise.
    """
    request = GetLineageRequest(task_id=task_id, max_depth=depth)
    request.direction = LineageDirection.Value(f"LINEAGE_DIRECTION_{direction.upper()}")
    nodes: list[LineageNode] = []
    edges: list[tuple[int, int]] = []
    for part in client.registry.GetLineage(request):
        nodes += part.nodes
        edges += zip(part.edge_upstreams, part.edge_downstreams, strict=True)
    return Lineage(nodes, edges)
