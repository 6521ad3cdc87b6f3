"""Reads over the history of tasks and the graphs of builds."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag.v1.task_pb2 import TASK_STATUS_COMPLETED, TASK_STATUS_REUSED
from stardag_server.domain.refusals import TaskNotFound
from stardag_server.store.bulk import Bulk
from stardag_server.store.database import Database
from stardag_server.store.queries import STATE_COLUMNS, AnyRow
from stardag_server.store.schema import Build, BuildTask, Event, Task, TaskDependency

NEAREST_AMONG = 1_000
"""How many earlier tasks of a type the nearest is looked for among."""

_STATE_IN_BUILD = (*STATE_COLUMNS, BuildTask.build_id, Build.uuid.label("build_uuid"))
_RAN = sa.and_(BuildTask.attempt > 0, BuildTask.status != TASK_STATUS_REUSED)


class History:
    """Reads of one database; each method is one consistent read of what is committed."""

    def __init__(self, database: Database, bulk: Bulk) -> None:
        self._database = database
        self._bulk = bulk

    async def tasks(
        self, workspace: int, ids: Iterable[UUID]
    ) -> tuple[dict[UUID, AnyRow], dict[int, list[UUID]], dict[int, AnyRow]]:
        """Return tasks by id, and by key their dependencies and latest states."""
        query = sa.select(Task).where(
            Task.workspace_id == workspace, self._bulk.among(Task.uuid, list(ids))
        )
        async with self._database.read() as connection:
            columns = query.with_only_columns(*Task.__table__.c)
            rows = {row.uuid: row for row in await connection.execute(columns)}
            keys = [row.id for row in rows.values()]
            upstreams: dict[int, list[UUID]] = {}
            edges = (
                sa.select(TaskDependency.task_id, Task.uuid)
                .join(Task, Task.id == TaskDependency.upstream_id)
                .where(self._bulk.among(TaskDependency.task_id, keys))
                .order_by(Task.uuid)
            )
            for key, upstream in await connection.execute(edges):
                upstreams.setdefault(key, []).append(upstream)
            latest = await self._latest_states(connection, keys)
        return rows, upstreams, latest

    async def producers(
        self, workspace: int, tasks: Sequence[UUID]
    ) -> dict[UUID, tuple[UUID, int]]:
        """Return the build and the attempt that completed each of these tasks last, if any did."""
        query = (
            sa.select(Task.uuid, Build.uuid, BuildTask.attempt)
            .select_from(Task)
            .join(BuildTask, BuildTask.task_id == Task.id)
            .join(Build, Build.id == BuildTask.build_id)
            .where(
                Task.workspace_id == workspace,
                self._bulk.among(Task.uuid, tasks),
                BuildTask.status == TASK_STATUS_COMPLETED,
            )
            .order_by(BuildTask.update_time, BuildTask.build_id)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return {task: (build, attempt) for task, build, attempt in rows}

    async def task_history(
        self, workspace: int, task: UUID, before: int | None, limit: int
    ) -> Sequence[AnyRow]:
        """Return the states of a task by build, that heard of last first; `build_id` is the key.

        Raises TaskNotFound.
        """
        async with self._database.read() as connection:
            key = await _key(connection, workspace, task)
            query = _states().where(BuildTask.task_id == key)
            if before is not None:
                query = query.where(BuildTask.build_id < before)
            rows = await connection.execute(query.order_by(BuildTask.build_id.desc()).limit(limit))
            return rows.all()

    async def lineage(
        self, workspace: int, task: UUID, upstream: bool, max_depth: int, max_tasks: int
    ) -> tuple[dict[int, int], set[int]]:
        """Return the tasks reached from one, itself among them, with their depths, by key.

        Nearest first; also those beyond which a bound kept others out. A depth of
        0 is no bound. Raises TaskNotFound.
        """
        near, far = TaskDependency.task_id, TaskDependency.upstream_id
        if not upstream:
            near, far = far, near
        async with self._database.read() as connection:
            key = await _key(connection, workspace, task)
            depths, cut, level = {key: 0}, set[int](), [key]
            while level:
                query = (
                    sa.select(near, far).where(self._bulk.among(near, level)).order_by(near, far)
                )
                depth, level = depths[level[0]] + 1, list[int]()
                for known, reached in await connection.execute(query):
                    if reached in depths:
                        continue
                    if (max_depth and depth > max_depth) or len(depths) >= max_tasks:
                        cut.add(known)
                        continue
                    depths[reached] = depth
                    level.append(reached)
        return depths, cut

    async def edges_among(self, tasks: Sequence[int]) -> list[tuple[int, int]]:
        """Return the dependencies among these tasks, as keys from upstream to downstream."""
        known = set(tasks)
        query = sa.select(TaskDependency.upstream_id, TaskDependency.task_id).where(
            self._bulk.among(TaskDependency.task_id, tasks)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(TaskDependency.task_id))
            return [(up, down) for up, down in rows if up in known]

    async def tasks_by_key(
        self, keys: Sequence[int]
    ) -> tuple[dict[int, AnyRow], dict[int, AnyRow]]:
        """Return tasks and their latest states, each by the task's key."""
        query = sa.select(*Task.__table__.c).where(self._bulk.among(Task.id, keys))
        async with self._database.read() as connection:
            rows = {row.id: row for row in await connection.execute(query)}
            return rows, await self._latest_states(connection, keys)

    async def has_task(self, workspace: int, build: int, task: UUID) -> bool:
        """Tell whether the build with this key has the task. Raises TaskNotFound."""
        async with self._database.read() as connection:
            key = await _key(connection, workspace, task)
            query = sa.select(BuildTask.ordinal).where(
                BuildTask.task_id == key, BuildTask.build_id == build
            )
            return (await connection.execute(query)).first() is not None

    async def runs(self, workspace: int, task: UUID) -> Sequence[AnyRow]:
        """Return the states of a task in the builds that ran it, the latest build first.

        At most 1,000. Raises TaskNotFound.
        """
        async with self._database.read() as connection:
            key = await _key(connection, workspace, task)
            query = _states().where(BuildTask.task_id == key, _RAN)
            rows = await connection.execute(query.order_by(BuildTask.build_id.desc()).limit(1_000))
            return rows.all()

    async def completed_before(self, task: UUID, workspace: int, build: int) -> bool:
        """Tell whether a build before this one, by key, completed the task or found it."""
        ended = (TASK_STATUS_COMPLETED, TASK_STATUS_REUSED)
        async with self._database.read() as connection:
            key = await _key(connection, workspace, task)
            query = sa.select(BuildTask.build_id).where(
                BuildTask.task_id == key, BuildTask.build_id < build, BuildTask.status.in_(ended)
            )
            return (await connection.execute(query.limit(1))).first() is not None

    async def earlier_tasks_of_type(
        self, workspace: int, task: UUID, build: int, ordinal: int
    ) -> Sequence[AnyRow]:
        """Return tasks of the task's type that ran before it, the latest first.

        Before is in an earlier build, by key, or earlier in this one.
        """
        this = sa.select(Task.namespace, Task.name, Task.id).where(
            Task.workspace_id == workspace, Task.uuid == task
        )
        async with self._database.read() as connection:
            namespace, name, key = (await connection.execute(this)).one()
            before = sa.or_(
                BuildTask.build_id < build,
                sa.and_(BuildTask.build_id == build, BuildTask.ordinal < ordinal),
            )
            ran = sa.exists().where(BuildTask.task_id == Task.id, _RAN, before)
            query = (
                sa.select(*Task.__table__.c)
                .where(
                    Task.workspace_id == workspace,
                    Task.name == name,
                    Task.namespace == namespace,
                    Task.id != key,
                    ran,
                )
                .order_by(Task.id.desc())
                .limit(NEAREST_AMONG)
            )
            return (await connection.execute(query)).all()

    async def nodes(self, build: int) -> Sequence[AnyRow]:
        """Return all tasks of a build with what analyses need, by ordinal; texts are left out."""
        query = (
            sa.select(
                BuildTask.ordinal,
                BuildTask.task_id,
                BuildTask.status,
                BuildTask.attempt,
                BuildTask.start_time,
                BuildTask.end_time,
                BuildTask.duration,
                Task.uuid.label("task_uuid"),
                Task.namespace,
                Task.name,
            )
            .join(Task, Task.id == BuildTask.task_id)
            .where(BuildTask.build_id == build)
            .order_by(BuildTask.ordinal)
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).all()

    async def failures(self, build: int) -> dict[int, bytes]:
        """Return the serialized TaskFailures of a build, by the ordinal of the task."""
        query = sa.select(BuildTask.ordinal, BuildTask.failure).where(
            BuildTask.build_id == build, BuildTask.failure.is_not(None)
        )
        async with self._database.read() as connection:
            return {row.ordinal: row.failure for row in await connection.execute(query)}

    async def waits(self, build: int, ordinals: Sequence[int]) -> dict[int, bytes]:
        """Return the details of the events that made the states of these tasks, by ordinal."""
        query = (
            sa.select(BuildTask.ordinal, Event.detail)
            .join(
                Event,
                sa.and_(Event.build_id == BuildTask.build_id, Event.position == BuildTask.position),
            )
            .where(
                BuildTask.build_id == build,
                self._bulk.among(BuildTask.ordinal, ordinals),
                Event.detail.is_not(None),
            )
        )
        async with self._database.read() as connection:
            return {row.ordinal: row.detail for row in await connection.execute(query)}

    async def states(self, build: int, ordinals: Sequence[int]) -> dict[int, AnyRow]:
        """Return the states of some of a build's tasks, by ordinal."""
        query = _states().where(
            BuildTask.build_id == build, self._bulk.among(BuildTask.ordinal, ordinals)
        )
        async with self._database.read() as connection:
            return {row.ordinal: row for row in await connection.execute(query)}

    async def last_monotonic(self, build: int, stream: int) -> int:
        """Return the monotonic time of the latest event of a stream in a build; 0 for none."""
        query = (
            sa.select(Event.monotonic)
            .where(Event.build_id == build, Event.stream_id == stream)
            .order_by(Event.position.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none() or 0

    async def _latest_states(
        self, connection: AsyncConnection, tasks: Sequence[int]
    ) -> dict[int, AnyRow]:
        rank = (
            sa.func.row_number()
            .over(
                partition_by=BuildTask.task_id,
                order_by=(BuildTask.update_time.desc(), BuildTask.build_id.desc()),
            )
            .label("rank")
        )
        ranked = (
            _states()
            .add_columns(BuildTask.task_id, rank)
            .where(self._bulk.among(BuildTask.task_id, tasks))
            .subquery()
        )
        rows = await connection.execute(sa.select(ranked).where(ranked.c.rank == 1))
        return {row.task_id: row for row in rows}


def _states() -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(*_STATE_IN_BUILD)
        .select_from(BuildTask)
        .join(Task, Task.id == BuildTask.task_id)
        .join(Build, Build.id == BuildTask.build_id)
    )


async def _key(connection: AsyncConnection, workspace: int, task: UUID) -> int:
    query = sa.select(Task.id).where(Task.workspace_id == workspace, Task.uuid == task)
    key = (await connection.execute(query)).scalar_one_or_none()
    if key is None:
        raise TaskNotFound(task)
    return key
