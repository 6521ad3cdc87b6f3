"""What a build's graph tells: who keeps whom from running, and where the time went.

Dependencies are what producers said, so there may be circles. Tasks are named
by their ordinals.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stardag.v1 import task_pb2

WAITING = frozenset(
    (
        task_pb2.TASK_STATUS_PENDING,
        task_pb2.TASK_STATUS_SUSPENDED,
        task_pb2.TASK_STATUS_BLOCKED,
        task_pb2.TASK_STATUS_SKIPPED,
    )
)
"""Statuses of tasks that something keeps from running."""

STOPPED = frozenset((task_pb2.TASK_STATUS_FAILED, task_pb2.TASK_STATUS_CANCELLED))
"""Statuses of tasks that keep others from running for good."""

MAX_CAUSES = 10


@dataclass(frozen=True, slots=True)
class Node:
    """A task as its build has it. Times and durations are microseconds."""

    ordinal: int
    status: int
    attempt: int
    start_time: int
    end_time: int
    duration: int


@dataclass(frozen=True)
class BuildGraph:
    """Tasks by ordinal, and for each what depends on it directly."""

    nodes: Mapping[int, Node]
    downstream: Mapping[int, Sequence[int]] = field(default_factory=dict[int, list[int]])

    @classmethod
    def of(cls, nodes: Iterable[Node], edges: Iterable[tuple[int, int]]) -> "BuildGraph":
        """Return the graph of these edges from upstream to downstream."""
        downstream: defaultdict[int, list[int]] = defaultdict(list)
        for upstream, dependent in edges:
            downstream[upstream].append(dependent)
        return cls({node.ordinal: node for node in nodes}, downstream)

    def stopped(self) -> list[int]:
        """Return the tasks that keep others from running for good, the first to end first."""
        found = [node for node in self.nodes.values() if node.status in STOPPED]
        return [node.ordinal for node in sorted(found, key=lambda n: (n.end_time, n.ordinal))]

    def unfinished(self) -> list[int]:
        """Return the tasks that others wait for, and that themselves wait for none."""
        kept = {
            dependent
            for node in self.nodes.values()
            if node.status in WAITING or node.status == task_pb2.TASK_STATUS_RUNNING
            for dependent in self.downstream.get(node.ordinal, ())
        }
        return [
            ordinal
            for ordinal, node in sorted(self.nodes.items())
            if node.status == task_pb2.TASK_STATUS_RUNNING
            or (node.status in WAITING - {task_pb2.TASK_STATUS_SKIPPED} and ordinal not in kept)
        ]

    def kept_by(self, causes: Collection[int]) -> set[int]:
        """Return the waiting tasks that one of these keeps from running."""
        kept: set[int] = set()
        ahead = list(causes)
        while ahead:
            for ordinal in self._waiting_after(ahead.pop()):
                if ordinal not in kept:
                    kept.add(ordinal)
                    ahead.append(ordinal)
        return kept

    def causes(self, roots: Sequence[int]) -> dict[int, list[int]]:
        """Return which roots keep each waiting task, at most 10, in the order given.

        Whoever has ten has passed them on to all after it, so nothing is walked
        more often than ten times.
        """
        found: defaultdict[int, list[int]] = defaultdict(list)
        for root in roots:
            ahead = [root]
            while ahead:
                for ordinal in self._waiting_after(ahead.pop()):
                    known = found[ordinal]
                    if ordinal == root or len(known) >= MAX_CAUSES or root in known:
                        continue
                    known.append(root)
                    ahead.append(ordinal)
        return {ordinal: known for ordinal, known in found.items() if known}

    def critical_path(self) -> list[int]:
        """Return the chain of dependencies that took longest, from its beginning.

        Tasks in a circle, and what depends on them, are left out.
        """
        waits = dict.fromkeys(self.nodes, 0)
        for dependents in self.downstream.values():
            for ordinal in dependents:
                waits[ordinal] += 1
        finish: dict[int, int] = {}
        before: dict[int, int] = {}
        ready = [ordinal for ordinal, count in waits.items() if not count]
        longest: dict[int, int] = defaultdict(int)
        while ready:
            ordinal = ready.pop()
            finish[ordinal] = longest[ordinal] + self.nodes[ordinal].duration
            for dependent in self.downstream.get(ordinal, ()):
                if finish[ordinal] > longest[dependent]:
                    longest[dependent] = finish[ordinal]
                    before[dependent] = ordinal
                waits[dependent] -= 1
                if not waits[dependent]:
                    ready.append(dependent)
        last = max(finish, key=lambda ordinal: (finish[ordinal], -ordinal), default=None)
        path: list[int] = []
        while last is not None:
            path.append(last)
            last = before.get(last)
        return path[::-1]

    def max_parallel(self) -> int:
        """Return how many of the tasks' latest attempts ran at one moment, at most."""
        changes: list[tuple[int, int]] = []
        for node in self.nodes.values():
            if not node.start_time or not node.attempt:
                continue
            changes.append((node.start_time, 1))
            if node.end_time:
                changes.append((node.start_time + node.duration, -1))
        most = running = 0
        # At one moment, ends come before starts.
        for _, change in sorted(changes):
            running += change
            most = max(most, running)
        return most

    def _waiting_after(self, ordinal: int) -> list[int]:
        return [
            dependent
            for dependent in self.downstream.get(ordinal, ())
            if dependent in self.nodes and self.nodes[dependent].status in WAITING
        ]
