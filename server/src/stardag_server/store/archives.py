"""Builds read for an archive, and archives stored as builds."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from stardag.v1.build_archive_pb2 import BuildArchivePart
from stardag_server.domain.archive import ArchiveCheck
from stardag_server.domain.refusals import BuildExists
from stardag_server.domain.workspace import limits_that_hold
from stardag_server.store.archived_build import ArchivedBuild
from stardag_server.store.assets import check_quota
from stardag_server.store.build_memory import BuildMemory
from stardag_server.store.build_rows import BuildRows
from stardag_server.store.bulk import Bulk, Merge
from stardag_server.store.database import Database, clock
from stardag_server.store.partitions import EventPartitions
from stardag_server.store.queries import AnyRow
from stardag_server.store.schema import (
    Asset,
    BuildTask,
    Event,
    Stream,
    Task,
    TaskDependency,
    Workspace,
)
from stardag_server.store.task_keys import TaskKeys

_EPOCH = datetime.fromtimestamp(0, UTC)
_STREAM_COLUMNS = (
    "workspace_id",
    "uuid",
    "generation",
    "watermark",
    "client",
    "host",
    "pid",
    "create_time",
    "last_seen",
)


class Archives:
    """What archives of builds are made from, and where they go."""

    def __init__(self, database: Database, bulk: Bulk, partitions: EventPartitions) -> None:
        self._database = database
        self._bulk = bulk
        self._partitions = partitions

    async def streams(self, build: int, head: int) -> list[UUID]:
        """Return the streams of the first events of a build's log, up to a position."""
        came = sa.select(Event.stream_id).where(Event.build_id == build, Event.position <= head)
        query = sa.select(Stream.uuid).where(Stream.id.in_(came)).order_by(Stream.uuid)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def has_events(self, build: int, head: int) -> bool:
        """Tell whether all events up to a position are still kept."""
        query = sa.select(sa.func.count()).where(Event.build_id == build, Event.position <= head)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one() == head

    async def tasks(
        self, build: int, after: int, until: int, limit: int
    ) -> tuple[Sequence[AnyRow], dict[int, list[UUID]]]:
        """Return tasks of a build by ordinal, above one and up to another.

        With them come their static dependencies, by the task's key.
        """
        query = (
            sa.select(BuildTask.ordinal, *Task.__table__.c)
            .join(Task, Task.id == BuildTask.task_id)
            .where(
                BuildTask.build_id == build, BuildTask.ordinal > after, BuildTask.ordinal <= until
            )
            .order_by(BuildTask.ordinal)
            .limit(limit)
        )
        upstream = aliased(Task)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            static = (
                sa.select(TaskDependency.task_id, upstream.uuid)
                .join(upstream, upstream.id == TaskDependency.upstream_id)
                .where(
                    self._bulk.among(TaskDependency.task_id, [row.id for row in rows]),
                    ~TaskDependency.dynamic,
                )
                .order_by(TaskDependency.task_id, upstream.uuid)
            )
            edges = (await connection.execute(static)).all()
        return rows, {
            key: [uuid for _, uuid in group] for key, group in groupby(edges, lambda edge: edge[0])
        }

    async def assets(self, workspace: int, build: UUID) -> Sequence[AnyRow]:
        """Return the revisions of assets that a build wrote, the first written first."""
        query = (
            sa.select(*Asset.__table__.c)
            .where(Asset.workspace_id == workspace, Asset.build_uuid == build)
            .order_by(Asset.id)
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).all()

    async def store(
        self, workspace: int, checked: ArchiveCheck, parts: Iterable[BuildArchivePart]
    ) -> None:
        """Store the build of an archive that was checked; all or none.

        Raises BuildExists; TaskConflict if a task is known with another type; QuotaExceeded if
        the workspace then had too many bytes of assets; and ArchiveInvalid if the log says
        something else of an event than its fold does.
        """
        await self._partitions.ensure_for(_EPOCH + timedelta(days=d) for d in checked.commit_days)
        id = checked.build.bytes
        async with self._database.write() as connection:
            now: int = (await connection.execute(sa.select(clock(connection)))).scalar_one()
            streams = await self._streams(connection, workspace, checked)
            rows = BuildRows(connection, self._bulk, workspace, BuildMemory())
            # As old as its log, so that retention keeps what is as old.
            fold = (await rows.lock([id], {id}, checked.first_commit))[id]
            if fold.build.head:
                raise BuildExists(checked.build)
            keys = TaskKeys(connection, self._bulk, workspace, now)
            await ArchivedBuild(connection, self._bulk, workspace, fold, keys, streams).take(parts)
            await self._bulk.write(connection, rows.writes())
            if checked.has_assets:
                limits = sa.select(Workspace.limits).where(Workspace.id == workspace)
                held = limits_that_hold((await connection.execute(limits)).scalar_one())
                await check_quota(connection, workspace, held.max_asset_bytes)

    async def _streams(self, connection: Any, workspace: int, checked: ArchiveCheck) -> list[int]:
        """Make the streams known, and lock them; return their keys in the archive's order.

        A stream that is known has its own watermark; what of it is in the archive
        may have gone to another server.
        """
        streams = sorted(checked.streams, key=lambda stream: stream.uuid)
        new = [
            (
                workspace,
                self._bulk.id(stream.uuid.bytes),
                0,
                stream.watermark,
                "",
                "",
                0,
                checked.first_commit,
                stream.last_seen,
            )
            for stream in streams
        ]
        merge = Merge(Stream, _STREAM_COLUMNS, new, key=("workspace_id", "uuid"))
        await self._bulk.write(connection, [merge])
        query = (
            sa.select(Stream.uuid, Stream.id)
            .where(
                Stream.workspace_id == workspace,
                self._bulk.among(Stream.uuid, [stream.uuid for stream in streams]),
            )
            .order_by(Stream.uuid)
            .with_for_update()
        )
        keys = {row.uuid: row.id for row in await connection.execute(query)}
        return [keys[stream.uuid] for stream in checked.streams]
