"""Ids of 10,000 nested tasks in several shapes, against hashing the same texts.

The floor of each shape is `json.dumps` and `uuid5` of the dicts that its tasks' identities are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid5

from figures import Figure, at_most, interleaved, report, seconds

from stardag import AutoTask, TaskLoads
from stardag._identity import NAMESPACE

N = 10_000


class Node(AutoTask[int]):
    n: int
    below: tuple[TaskLoads[int], ...] = ()


def chain() -> list[Node]:
    """Return tasks each of which needs the one before."""
    tasks = [Node(n=0)]
    for n in range(1, N):
        tasks.append(Node(n=n, below=(tasks[-1],)))
    return tasks


def tree() -> list[Node]:
    """Return a binary tree's tasks, leaves first."""
    level = [Node(n=n) for n in range(N // 2)]
    tasks = list(level)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [Node(n=len(tasks) + i, below=pair) for i, pair in enumerate(pairs)]
        tasks += level
    return tasks


def grid() -> list[Node]:
    """Return 100 layers of 100 tasks, each of which needs all of the layer below."""
    layer: tuple[Node, ...] = ()
    tasks: list[Node] = []
    for depth in range(100):
        layer = tuple(Node(n=depth * 100 + i, below=layer) for i in range(100))
        tasks += layer
    return tasks


def ids(make: Callable[[], list[Node]]) -> float:
    tasks = make()
    last = tasks[-1]
    took = seconds(lambda: (last.id, [task.id for task in tasks]))
    return took / len(tasks) * 1e6


def floor(make: Callable[[], list[Node]]) -> float:
    tasks = make()
    payloads = [json.loads(task.identity_json()) for task in tasks]

    def identify() -> None:
        for payload in payloads:
            uuid5(NAMESPACE, json.dumps(payload, separators=(",", ":"), sort_keys=True))

    return seconds(identify) / len(tasks) * 1e6


def measure(name: str, make: Callable[[], list[Node]]) -> Figure:
    value, base = interleaved(lambda: ids(make), lambda: floor(make))
    return at_most(f"ids of a {name}", value, "us a task", 2, floor=base, floors=True)


if __name__ == "__main__":
    report(
        [
            measure("chain of 10,000", chain),
            measure("binary tree of 10,000", tree),
            measure("grid of 100 x 100, each layer using all below", grid),
        ]
    )
