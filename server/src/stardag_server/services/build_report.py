"""What a build's graph tells, as messages of the contract."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from stardag.v1 import event_pb2, task_pb2
from stardag.v1.build_pb2 import TaskStatusCount
from stardag.v1.build_service_pb2 import (
    BLOCK_CAUSE_LEASE_HELD,
    BLOCK_CAUSE_NOT_STARTED,
    BLOCK_CAUSE_UPSTREAM_FAILED,
    BLOCK_CAUSE_UPSTREAM_UNFINISHED,
    BlockedTask,
    FailureGroup,
)
from stardag.v1.build_statistics_pb2 import BuildStatistics, CriticalPathStep, TaskTypeStatistics
from stardag.v1.task_pb2 import TaskFailure, TaskStatus
from stardag_server.domain.build_graph import WAITING, BuildGraph, Node
from stardag_server.domain.fingerprint import fingerprint
from stardag_server.store.history import History
from stardag_server.store.queries import AnyRow, Queries

_MAX_LISTED_TASKS = 100
_MAX_PATH = 10_000
_MAX_TYPES = 1_000


class BuildReport:
    """One build's tasks, dependencies and failures, as of when they were read."""

    def __init__(
        self,
        rows: Sequence[AnyRow],
        edges: Sequence[tuple[int, int]],
        failures: Mapping[int, bytes],
    ) -> None:
        self._rows = {row.ordinal: row for row in rows}
        self._ordinals = {str(row.task_uuid): row.ordinal for row in rows}
        self._failures = {
            ordinal: TaskFailure.FromString(failure) for ordinal, failure in failures.items()
        }
        # A producer may skip a task for one that is upstream in its eyes only.
        told = [
            (cause, ordinal)
            for ordinal, failure in self._failures.items()
            if (cause := self.ordinal(failure.caused_by_task_id)) is not None
        ]
        nodes = [
            Node(r.ordinal, r.status, r.attempt, r.start_time, r.end_time, r.duration) for r in rows
        ]
        self.graph = BuildGraph.of(nodes, {*edges, *told})

    @classmethod
    async def read(cls, queries: Queries, history: History, build: int) -> "BuildReport":
        """Read the build with this key."""
        rows = await history.nodes(build)
        edges = await queries.edges(build, len(rows))
        return cls(rows, edges, await history.failures(build))

    def ordinal(self, task_id: str) -> int | None:
        """Return the ordinal of a task of the build; None if it has none with this id."""
        return self._ordinals.get(task_id)

    def statistics(self, wall_time: int) -> BuildStatistics:
        """Return what the build took, given the time from its start to its end."""
        rows = list(self._rows.values())
        path = self.graph.critical_path()[:_MAX_PATH]
        by_type: defaultdict[tuple[str, str], list[AnyRow]] = defaultdict(list)
        for row in rows:
            by_type[row.namespace or "", row.name or ""].append(row)
        types = [_type_statistics(*key, of_type) for key, of_type in by_type.items()]
        types.sort(key=lambda each: (-each.busy_time_us, each.namespace, each.name))
        return BuildStatistics(
            task_counts=_counts(rows),
            attempt_count=sum(row.attempt for row in rows),
            retry_count=sum(max(0, row.attempt - 1) for row in rows),
            wall_time_us=wall_time,
            busy_time_us=sum(row.duration for row in rows),
            max_parallel=self.graph.max_parallel(),
            critical_path=[self._step(ordinal) for ordinal in path],
            critical_path_us=sum(self._rows[ordinal].duration for ordinal in path),
            task_types=types[:_MAX_TYPES],
            task_type_count=len(types),
        )

    def failure_groups(self) -> list[FailureGroup]:
        """Return what failed, like failures as one group, the one that holds up most first."""
        groups: defaultdict[str, list[int]] = defaultdict(list)
        for ordinal in self.graph.stopped():
            if self._rows[ordinal].status == task_pb2.TASK_STATUS_FAILED:
                groups[self._fingerprint(ordinal)].append(ordinal)
        made = [self._group(key, ordinals) for key, ordinals in groups.items()]
        return sorted(
            made, key=lambda g: (-g.blocked_task_count, -g.failed_task_count, g.fingerprint)
        )

    def blocked(self, cause: int | None) -> list[tuple[int, BlockedTask]]:
        """Return the tasks that something keeps from running, by ordinal.

        With a cause, only those that this task keeps.
        """
        stopped = self.graph.causes(self.graph.stopped())
        unfinished = self.graph.causes(self.graph.unfinished())
        wanted = None if cause is None else self.graph.kept_by([cause])
        return [
            (ordinal, self._blocked(row, stopped.get(ordinal), unfinished.get(ordinal)))
            for ordinal, row in self._rows.items()
            if row.status in WAITING and (wanted is None or ordinal in wanted)
        ]

    def _blocked(
        self, row: AnyRow, stopped: list[int] | None, unfinished: list[int] | None
    ) -> BlockedTask:
        if stopped:
            cause, roots = BLOCK_CAUSE_UPSTREAM_FAILED, stopped
        elif row.status == task_pb2.TASK_STATUS_BLOCKED:
            cause, roots = BLOCK_CAUSE_LEASE_HELD, []
        elif unfinished:
            cause, roots = BLOCK_CAUSE_UPSTREAM_UNFINISHED, unfinished
        else:
            cause, roots = BLOCK_CAUSE_NOT_STARTED, []
        return BlockedTask(
            task_id=str(row.task_uuid),
            namespace=row.namespace or "",
            name=row.name or "",
            status=row.status,
            cause=cause,
            root_cause_task_ids=[str(self._rows[root].task_uuid) for root in roots],
            fingerprint=self._fingerprint(stopped[0]) if stopped else "",
        )

    def _group(self, key: str, ordinals: list[int]) -> FailureGroup:
        return FailureGroup(
            fingerprint=key,
            example=self._failures.get(ordinals[0]),
            example_task_id=str(self._rows[ordinals[0]].task_uuid),
            failed_task_count=len(ordinals),
            failed_task_ids=[str(self._rows[o].task_uuid) for o in ordinals[:_MAX_LISTED_TASKS]],
            blocked_task_count=len(self.graph.kept_by(ordinals)),
        )

    def _fingerprint(self, ordinal: int) -> str:
        return fingerprint(self._failures.get(ordinal, TaskFailure()))

    def _step(self, ordinal: int) -> CriticalPathStep:
        row = self._rows[ordinal]
        return CriticalPathStep(
            task_id=str(row.task_uuid),
            namespace=row.namespace or "",
            name=row.name or "",
            duration_us=row.duration,
        )


def lease_name(detail: bytes) -> str:
    """Return the lease that an event says its task waits for."""
    return event_pb2.NewEvent.FromString(detail).wait.lease_name


def _type_statistics(namespace: str, name: str, rows: list[AnyRow]) -> TaskTypeStatistics:
    durations = sorted(row.duration for row in rows if row.attempt and row.end_time)
    return TaskTypeStatistics(
        namespace=namespace,
        name=name,
        task_counts=_counts(rows),
        busy_time_us=sum(durations),
        median_us=_percentile(durations, 50),
        p95_us=_percentile(durations, 95),
        max_us=durations[-1] if durations else 0,
    )


def _percentile(ordered: list[int], percent: int) -> int:
    """Return the least value that so many percent of the values don't exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else 0


def _counts(rows: Sequence[AnyRow]) -> list[TaskStatusCount]:
    counts = Counter(row.status for row in rows)
    return [
        TaskStatusCount(status=TaskStatus.ValueType(status), count=count)
        for status, count in sorted(counts.items())
    ]
