"""Builds whose time is over, or that somebody chose, are deleted, one after the other.

Then goes what others need no longer.

The events of whole months go with their partition on PostgreSQL. What is left
of a build's events is deleted in portions, each a transaction of its own, so
that nobody waits for long; the build itself, with its states and tasks, goes
last, in one. Whoever is interrupted can begin again.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from stardag.v1.build_pb2 import BUILD_STATUS_RUNNING
from stardag_server.domain.filters import Condition
from stardag_server.domain.retention import Deleted, RetentionPolicy
from stardag_server.store.build_memory import BuildMemory
from stardag_server.store.bulk import Bulk
from stardag_server.store.conditions import FieldColumns, compiled
from stardag_server.store.database import Database, clock
from stardag_server.store.partitions import EventPartitions
from stardag_server.store.queries import AnyRow
from stardag_server.store.schema import (
    Asset,
    Build,
    BuildTask,
    Lease,
    Stream,
    Task,
    TaskDependency,
)
from stardag_server.store.trimming import Trimming

_LEASES_KEPT_US = 24 * 3600 * 1_000_000


class Retention:
    """Deletes what a workspace's policy says, or a filter."""

    def __init__(
        self, database: Database, bulk: Bulk, partitions: EventPartitions, memory: BuildMemory
    ) -> None:
        self._database = database
        self._bulk = bulk
        self._partitions = partitions
        self._memory = memory
        self._trimming = Trimming(database, partitions)

    async def due(self, workspace: int, policy: RetentionPolicy) -> Deleted:
        """Return how much would be deleted now."""
        async with self._database.read() as connection:
            expired = await self._expired(connection, workspace, policy)
        due = await self.extent(workspace, expired)
        keys = [row.id for row in expired]
        async with self._database.read() as connection:
            due.events += await self._trimming.due_events(connection, workspace, policy, keys)
            due.asset_revisions += await self._trimming.due_revisions(connection, workspace, policy)
        return due

    async def matching(self, workspace: int, condition: Condition) -> Sequence[AnyRow]:
        """Return the builds that match a filter, and do not run: id, uuid, head and trimmed."""
        matches = compiled(condition, FieldColumns(self._database.postgres).builds(workspace))
        query = (
            sa.select(Build.id, Build.uuid, Build.head, Build.trimmed)
            .where(Build.workspace_id == workspace, _is_idle(), matches)
            .order_by(Build.id)
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).all()

    async def extent(self, workspace: int, builds: Sequence[AnyRow]) -> Deleted:
        """Return how much would be deleted with these builds."""
        keys = [build.id for build in builds]
        events = sum(build.head - build.trimmed for build in builds)
        async with self._database.read() as connection:
            other = aliased(BuildTask)
            elsewhere = sa.select(other.build_id).where(
                other.task_id == BuildTask.task_id, ~self._bulk.among(other.build_id, keys)
            )
            alone = (self._bulk.among(BuildTask.build_id, keys), ~elsewhere.exists())
            tasks = sa.select(sa.func.count(BuildTask.task_id.distinct())).where(*alone)
            uuids = sa.select(Task.uuid).where(
                Task.id.in_(sa.select(BuildTask.task_id).where(*alone))
            )
            assets = sa.select(sa.func.count()).where(
                Asset.workspace_id == workspace, Asset.task_uuid.in_(uuids)
            )
            return Deleted(
                len(keys),
                events,
                (await connection.execute(tasks)).scalar_one(),
                (await connection.execute(assets)).scalar_one(),
            )

    async def run(self, workspace: int, policy: RetentionPolicy) -> AsyncIterator[Deleted]:
        """Delete what is due; yield how much was deleted so far, after each build and at the end.

        Yields nothing if nothing was due.
        """
        await self._forget_leases(workspace)
        async with self._database.read() as connection:
            expired = await self._expired(connection, workspace, policy)
            still = _is_over(connection, policy)
        deleted = Deleted()
        async for deleted in self._delete(workspace, expired, still):
            yield replace(deleted)
        events = await self._trimming.trim(workspace, policy)
        revisions = await self._trimming.delete_revisions(workspace, policy)
        if events or revisions:
            deleted += Deleted(events=events, asset_revisions=revisions)
            yield deleted

    async def purge(self, workspace: int, builds: Sequence[AnyRow]) -> AsyncIterator[Deleted]:
        """Delete these builds, but those that run again; yield how much so far, after each."""
        async for deleted in self._delete(workspace, builds, _is_idle()):
            yield deleted

    async def _delete(
        self, workspace: int, builds: Sequence[AnyRow], still: sa.ColumnElement[bool]
    ) -> AsyncIterator[Deleted]:
        """Delete those of the builds of which `still` is true when it is their turn."""
        total = Deleted()
        if not builds:
            return
        await self._partitions.drop_before(await self._oldest_kept([row.id for row in builds]))
        for row in builds:
            await self._trimming.delete_events(row.id, row.trimmed, row.head)
            gone = await self._delete_build(workspace, row.id, row.uuid, still)
            if gone is not None:
                total.builds += 1
                total.events += row.head - row.trimmed
                total.tasks += gone.tasks
                total.asset_revisions += gone.asset_revisions
            yield replace(total)

    async def _expired(
        self, connection: AsyncConnection, workspace: int, policy: RetentionPolicy
    ) -> Sequence[AnyRow]:
        if not policy.builds:
            return ()
        newer = sa.func.row_number().over(partition_by=Build.name, order_by=Build.id.desc())
        builds = (
            sa.select(
                Build.id,
                Build.uuid,
                Build.head,
                Build.trimmed,
                newer.label("newer"),
                _is_over(connection, policy).label("over"),
            )
            .where(Build.workspace_id == workspace)
            .subquery()
        )
        query = (
            sa.select(builds.c.id, builds.c.uuid, builds.c.head, builds.c.trimmed)
            .where(builds.c.newer > policy.min_builds, builds.c.over)
            .order_by(builds.c.id)
        )
        return (await connection.execute(query)).all()

    async def _oldest_kept(self, expired: Sequence[int]) -> int:
        """Return when the first build was made, of any workspace, that is not expired; or now."""
        async with self._database.read_all() as connection:
            oldest = sa.select(sa.func.min(Build.create_time)).where(
                ~self._bulk.among(Build.id, expired)
            )
            found = (await connection.execute(oldest)).scalar_one()
            return found or (await connection.execute(sa.select(clock(connection)))).scalar_one()

    async def _delete_build(
        self, workspace: int, build: int, uuid: UUID, still: sa.ColumnElement[bool]
    ) -> Deleted | None:
        """Delete a build and the tasks that no other has; return how much went with it.

        None if it is `still` no more, or somebody else has deleted it.
        """
        async with self._database.write() as connection:
            if self._database.postgres:
                # Every commit locks its streams before it looks tasks up. While this is
                # held, none is between finding a task and noting that a build has it.
                await connection.execute(
                    sa.text(f"LOCK TABLE {Stream.__tablename__} IN EXCLUSIVE MODE")
                )
            delete = sa.delete(Build).where(Build.id == build, still)
            if not (await connection.execute(delete)).rowcount:
                return None
            had = sa.delete(BuildTask).where(BuildTask.build_id == build)
            tasks = (await connection.execute(had.returning(BuildTask.task_id))).scalars().all()
            elsewhere = sa.select(BuildTask.task_id).where(BuildTask.task_id == Task.id).exists()
            orphans = sa.delete(Task).where(self._bulk.among(Task.id, tasks), ~elsewhere)
            gone = (await connection.execute(orphans.returning(Task.id, Task.uuid))).all()
            assets = await self._delete_with_tasks(connection, workspace, gone)
        self._memory.forget((workspace, uuid.bytes))
        return Deleted(tasks=len(gone), asset_revisions=assets)

    async def _delete_with_tasks(
        self,
        connection: AsyncConnection,
        workspace: int,
        tasks: Sequence[AnyRow],
    ) -> int:
        """Delete what belongs to deleted tasks; return the number of assets' revisions."""
        edges = self._bulk.among(TaskDependency.task_id, [task.id for task in tasks])
        await connection.execute(sa.delete(TaskDependency).where(edges))
        assets = self._bulk.among(Asset.task_uuid, [task.uuid for task in tasks])
        delete = sa.delete(Asset).where(Asset.workspace_id == workspace, assets)
        return (await connection.execute(delete)).rowcount

    async def _forget_leases(self, workspace: int) -> None:
        """Delete leases that ended long ago, but the newest token: the next is above it."""
        async with self._database.write() as connection:
            newest = sa.select(sa.func.max(Lease.fencing_token)).scalar_subquery()
            await connection.execute(
                sa.delete(Lease).where(
                    Lease.workspace_id == workspace,
                    Lease.expire_time < clock(connection) - _LEASES_KEPT_US,
                    Lease.fencing_token < newest,
                )
            )


def _is_over(connection: AsyncConnection, policy: RetentionPolicy) -> sa.ColumnElement[bool]:
    """Return whether a build has ended, or was never begun, and is as old as that."""
    return sa.and_(_is_idle(), Build.update_time < clock(connection) - policy.builds)


def _is_idle() -> sa.ColumnElement[bool]:
    """Return whether a build has ended, or was never begun."""
    return sa.or_(Build.status != BUILD_STATUS_RUNNING, Build.start_stream_id == 0)
