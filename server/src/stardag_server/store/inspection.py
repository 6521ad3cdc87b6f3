"""Whether what is stored fits together, read without changing it."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import fields
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag_server.domain.build_fold import BuildFold
from stardag_server.domain.build_state import BuildState
from stardag_server.domain.event_check import Rejection, task_id_of
from stardag_server.domain.task_state import TaskState
from stardag_server.store.database import Database
from stardag_server.store.event_rows import restored
from stardag_server.store.migration import schema_problem
from stardag_server.store.queries import AnyRow
from stardag_server.store.schema import (
    Asset,
    AssetChunk,
    Build,
    BuildTask,
    Event,
    Stream,
    Task,
    plain,
)
from stardag_server.store.workspaces import named_workspace

_AT_ONCE = 2_000
# Columns with other names than the fields of what is folded.
_COLUMNS = {
    "key": "id",
    "start_stream": "start_stream_id",
    "task": "task_id",
    "stream": "stream_id",
}


class Inspection:
    """Looks at one database; each build is looked at as of one moment."""

    def __init__(self, url: sa.URL) -> None:
        self._database = Database(url)
        self.seen: Counter[str] = Counter()
        """Number of builds, events, tasks and assets that were looked at."""

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    async def problems(self, workspace: str | None = None) -> AsyncIterator[str]:
        """Yield what is wrong, a line each; of one workspace, if it is named.

        Raises WorkspaceNotFound, StorageUnavailable.
        """
        async with self._database.read() as connection:
            problem = await connection.run_sync(schema_problem)
            if problem is None and not self._database.postgres:
                damage = await connection.execute(sa.text("PRAGMA integrity_check(10)"))
                problem = "; ".join(row[0] for row in damage if row[0] != "ok") or None
        if problem:
            # Nothing can be said of what is in tables of another shape.
            yield f"the database: {problem}"
            return
        only = None
        if workspace:
            async with self._database.read() as connection:
                only = await named_workspace(connection, workspace)
        async for key in self._keys(Build, only):
            for problem in await self._build_problems(key):
                yield problem
        async for key in self._keys(Task, only):
            if problem := await self._task_problem(key):
                yield problem
        async for key in self._keys(Asset, only):
            if problem := await self._asset_problem(key):
                yield problem

    async def _keys(
        self, table: type[Build] | type[Task] | type[Asset], only: int | None
    ) -> AsyncIterator[int]:
        after = 0
        while True:
            query = sa.select(table.id).where(table.id > after).order_by(table.id).limit(_AT_ONCE)
            if only is not None:
                query = query.where(table.workspace_id == only)
            async with self._database.read() as connection:
                keys = (await connection.execute(query)).scalars().all()
            if not keys:
                return
            for after in keys:
                yield after

    async def _build_problems(self, key: int) -> list[str]:
        async with self._database.read() as connection:
            if self._database.postgres:
                # SQLite reads as of one moment as it is.
                await connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            query = sa.select(*Build.__table__.c).where(Build.id == key)
            build = (await connection.execute(query)).one_or_none()
            if build is None:
                return []
            self.seen["builds"] += 1
            problems = await self._log_problems(connection, build)
        return [f"build {build.uuid}: {problem}" for problem in problems]

    async def _log_problems(self, connection: AsyncConnection, build: AnyRow) -> list[str]:
        """Fold the log of a build anew, and compare that with what is stored."""
        state = BuildState(build.id, build.create_time, build.create_time)
        fold = BuildFold(state, {})
        sequences: dict[int, int] = {}
        while fold.build.head < build.head:
            events = await _events(connection, build.id, fold.build.head)
            if not events:
                return [f"its log ends at position {fold.build.head}, its head is {build.head}"]
            for event in events:
                if event.position != fold.build.head + 1:
                    return [f"position {fold.build.head + 1} of its log is missing"]
                if problem := _apply(fold, event, build.uuid):
                    return [f"the event at position {event.position}: {problem}"]
                sequences[event.stream_id] = max(event.sequence, sequences.get(event.stream_id, 0))
                self.seen["events"] += 1
        if await _events(connection, build.id, build.head):
            return [f"its log goes on after its head, {build.head}"]
        return [
            *_differences("", fold.build, build),
            *await _state_problems(connection, fold),
            *await _stream_problems(connection, sequences),
        ]

    async def _task_problem(self, key: int) -> str | None:
        query = sa.select(Task.uuid, Task.identity_json).where(Task.id == key)
        async with self._database.read() as connection:
            task = (await connection.execute(query)).one_or_none()
        if task is None:
            return None
        self.seen["tasks"] += 1
        if task.identity_json is None:
            return None
        computed = UUID(bytes=task_id_of(task.identity_json))
        return None if computed == task.uuid else f"task {task.uuid}: it hashes to {computed}"

    async def _asset_problem(self, key: int) -> str | None:
        digest = hashlib.sha256()
        size = 0
        async with self._database.read() as connection:
            query = sa.select(*Asset.__table__.c).where(Asset.id == key)
            asset = (await connection.execute(query)).one_or_none()
            if asset is None:
                return None
            query = sa.select(AssetChunk.content).where(AssetChunk.asset_id == key)
            async for chunk in await connection.stream_scalars(query.order_by(AssetChunk.ordinal)):
                digest.update(chunk)
                size += len(chunk)
        self.seen["assets"] += 1
        if (size, digest.digest()) == (asset.size, asset.sha256):
            return None
        return (
            f"asset {asset.name!r} of task {asset.task_uuid}, revision {asset.revision}:"
            " its content is not what was written"
        )


async def _events(connection: AsyncConnection, build: int, after: int) -> list[AnyRow]:
    query = (
        sa.select(*Event.__table__.c, Task.uuid.label("task_uuid"))
        .outerjoin(Task, Task.id == Event.task_id)
        .where(Event.build_id == build, Event.position > after)
        .order_by(Event.position)
        .limit(_AT_ONCE)
    )
    return list((await connection.execute(query)).all())


def _apply(fold: BuildFold, row: AnyRow, build: UUID) -> str | None:
    """Fold the event of a row; return why that is not possible, if so."""
    if row.task_id is not None and row.task_uuid is None:
        return "its task is not stored"
    event = restored(row, build)
    stored = Rejection(row.rejection, row.rejection_message or "") if row.rejection else None
    rejection = fold.apply(event, row.task_id or 0, row.stream_id, row.commit_time, stored)
    if rejection is not None and stored is None:
        return f"it was taken, but can't be: {rejection.message}"
    return None


async def _state_problems(connection: AsyncConnection, fold: BuildFold) -> list[str]:
    query = sa.select(*BuildTask.__table__.c).where(BuildTask.build_id == fold.build.key)
    rows = {row.ordinal: row for row in await connection.execute(query)}
    folded = {state.ordinal: (id, state) for id, state in fold.tasks.items()}
    problems = [
        f"the state of its task number {ordinal} is that of no event"
        for ordinal in sorted(rows.keys() - folded.keys())
    ]
    for ordinal, (id, state) in sorted(folded.items()):
        if ordinal in rows:
            problems += _differences(f"task {UUID(bytes=id)}, ", state, rows[ordinal])
        else:
            problems.append(f"the state of task {UUID(bytes=id)} is missing")
    return problems


async def _stream_problems(connection: AsyncConnection, sequences: dict[int, int]) -> list[str]:
    query = sa.select(Stream.id, Stream.uuid, Stream.watermark).where(Stream.id.in_([*sequences]))
    streams = {row.id: row for row in await connection.execute(query)}
    problems = [
        f"stream number {key}, by which events came, is not stored"
        for key in sequences.keys() - streams.keys()
    ]
    return problems + [
        f"stream {row.uuid} is committed up to {row.watermark}, but {sequences[key]} is in the log"
        for key, row in streams.items()
        if row.watermark < sequences[key]
    ]


def _differences(of: str, folded: BuildState | TaskState, row: AnyRow) -> list[str]:
    """Return where the row differs from what its log adds up to."""
    found: list[str] = []
    for spec in fields(folded):
        name = _COLUMNS.get(spec.name, spec.name)
        expected, stored = _stored(getattr(folded, spec.name)), getattr(row, name)
        if expected != stored:
            found.append(f"{of}{name} is {stored!r}; its log makes it {expected!r}")
    return found


def _stored(value: object) -> object:
    """Return a folded value as its column has it."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(key): _stored(each) for key, each in cast(dict[str, Any], value).items()}
    return value
