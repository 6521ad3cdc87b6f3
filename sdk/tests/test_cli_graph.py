"""A DAG as lines of text."""

from __future__ import annotations

from itertools import pairwise

import pytest

from stardag.cli.views import graph


def drawing(
    tasks: dict[str, str], edges: list[tuple[str, str]], *, width: int = 80, kinds: bool = False
) -> list[str]:
    """Draw tasks, whose ids are their names, given the status of each and (upstream, downstream).

    With `kinds` the type of a task is the first letter of its name.
    """
    numbers = {name: number for number, name in enumerate(tasks)}
    rows = [(n[0] if kinds else n, status, n, "") for n, status in tasks.items()]
    nodes = graph.nodes_of(rows, [(numbers[a], numbers[b]) for a, b in edges])
    nodes = graph.condensed(nodes)
    return [line.plain.rstrip() for line in graph.drawn(nodes, graph.tops(nodes), width)]


def test_what_a_task_depends_on_is_beneath_it_and_what_failed_comes_first() -> None:
    tasks = {"load": "COMPLETED", "fit": "FAILED", "plot": "COMPLETED", "report": "SKIPPED"}
    edges = [("load", "fit"), ("load", "plot"), ("plot", "report"), ("fit", "report")]
    assert drawing(tasks, edges) == [
        "report  SKIPPED  report",
        "├─ fit  FAILED  fit",
        "│  └─ load  COMPLETED  load",
        "└─ plot  COMPLETED  plot",
        "   └─ load  COMPLETED  load  (above)",
    ]


def test_many_tasks_are_drawn_by_type() -> None:
    tasks = {f"load{n}": "COMPLETED" for n in range(9_998)} | {"odd": "FAILED", "top": "SKIPPED"}
    edges = [(name, "odd") for name in tasks if name[0] == "l"]
    edges += [("load1", "load2"), ("odd", "top")]
    assert drawing(tasks, edges, kinds=True) == [
        "t  SKIPPED  top",
        "└─ o  FAILED  odd",
        "   └─ l x9998  9998 completed",
    ]


def test_types_that_depend_on_each_other_come_to_an_end() -> None:
    names = [f"{kind}{n}" for n in range(40) for kind in "ab"]
    edges = list(pairwise(names))
    assert drawing(dict.fromkeys(names, "REUSED"), edges, kinds=True) == [
        "a x40  40 reused",
        "└─ b x40  40 reused",
        "   └─ a x40  40 reused  (above)",
    ]


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_drawing_is_bounded_and_says_what_it_leaves_out(width: int) -> None:
    names = [f"{chr(97 + n // 26)}{chr(97 + n % 26)}_" + "long" * 50 for n in range(500)]
    chain = list(pairwise(names))
    for edges in (chain, [(name, names[0]) for name in names[1:]], []):
        lines = drawing(dict.fromkeys(names, "PENDING"), edges, width=width)
        assert len(lines) <= graph.MOST_LINES + 1
        assert all(len(line) <= width for line in lines)
        assert lines[-1].endswith("more are not drawn")
        assert len(lines) - 1 + int(lines[-1].split()[1]) == len(names)


def test_nothing_is_drawn_of_nothing() -> None:
    assert drawing({}, []) == []
