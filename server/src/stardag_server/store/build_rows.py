"""Builds and the states of their tasks, read and written under the builds' locks."""

import functools
import json
from collections.abc import Container, Iterable
from dataclasses import fields
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag_server.domain.build_fold import BuildFold
from stardag_server.domain.build_state import BuildState
from stardag_server.domain.task_state import TERMINAL, TaskState
from stardag_server.store.build_memory import BuildMemory
from stardag_server.store.bulk import Append, Bulk, Change, Merge, Row, Write, stored_id
from stardag_server.store.schema import Build, BuildTask, Task, plain

_STATE_COLUMNS = (
    "build_id",
    "ordinal",
    "task_id",
    "status",
    "attempt",
    "stream_id",
    "start_time",
    "start_monotonic",
    "end_time",
    "duration",
    "progress",
    "output_uri",
    "failure",
    "position",
    "update_time",
)
_STATE_KEY = ("build_id", "ordinal")
_CHANGING_STATE_COLUMNS = (*_STATE_KEY, *_STATE_COLUMNS[3:])
# The fields of TaskState that those are, but for the build's key.
_STATE_FIELDS = tuple(
    {"task_id": "task", "stream_id": "stream"}.get(name, name) for name in _STATE_COLUMNS[1:]
)

# Columns of builds by the names that BuildState gives them.
_BUILD_COLUMNS = {
    spec.name: {"key": "id", "start_stream": "start_stream_id"}.get(spec.name, spec.name)
    for spec in fields(BuildState)
}
_NEW_BUILD_COLUMNS = ("workspace_id", "uuid", "create_time", "update_time")
_START_FIELDS = (
    "name",
    "description",
    "client",
    "host",
    "runtime",
    "command",
    "labels",
    "source",
    "root_task_ids",
)
_CHANGING_FIELDS = tuple(
    name for name in _BUILD_COLUMNS if name not in (*_START_FIELDS, "key", "create_time")
)


class BuildRows:
    """Reads and writes builds in one transaction.

    `remember` is to be called after its commit, and only then.
    """

    def __init__(
        self, connection: AsyncConnection, bulk: Bulk, workspace: int, memory: BuildMemory
    ) -> None:
        self._connection = connection
        self._bulk = bulk
        self._workspace = workspace
        self._memory = memory
        self._folds: dict[bytes, BuildFold] = {}
        self._unstarted: set[bytes] = set()
        # Number of tasks, by the build's key, that have a row: those up to this ordinal.
        self._stored_tasks: dict[int, int] = {}

    async def lock(
        self, builds: Iterable[bytes], create: Container[bytes], now: int
    ) -> dict[bytes, BuildFold]:
        """Lock these builds and return the folds of those that are there.

        Those in `create` are made if they are not.
        """
        ids = [UUID(bytes=build) for build in sorted(builds)]
        # Created before any is locked: whoever waits here holds no build.
        await self._create([u for u in ids if u.bytes in create and not self._remembers(u)], now)
        unknown = await self._lock(ids)
        gone = [u for u in ids if u.bytes in create and u.bytes not in self._folds]
        # Another process has deleted what this one remembered.
        if gone := [uuid for uuid in gone if uuid not in unknown]:
            await self._create(gone, now)
            unknown += await self._lock(gone)
        if unknown:
            await self._load(unknown)
        folds = self._folds.values()
        self._stored_tasks = {fold.build.key: fold.build.task_count for fold in folds}
        self._unstarted = {id for id, fold in self._folds.items() if not fold.build.start_stream}
        return self._folds

    def _remembers(self, build: UUID) -> bool:
        return (self._workspace, build.bytes) in self._memory

    async def _create(self, ids: list[UUID], now: int) -> None:
        """Make these builds, but those that are there."""
        if ids:
            rows = [(self._workspace, self._bulk.id(uuid.bytes), now, now) for uuid in ids]
            merge = Merge(Build, _NEW_BUILD_COLUMNS, rows, key=("workspace_id", "uuid"))
            await self._bulk.write(self._connection, [merge])

    async def _lock(self, ids: list[UUID]) -> list[UUID]:
        """Lock these builds, take what is remembered of them, and return the rest."""
        given = {"workspace": self._workspace, "builds": self._bulk.given(ids)}
        unknown: list[UUID] = []
        for uuid, key, head in await self._connection.execute(_lock_builds(self._bulk), given):
            if fold := self._memory.take((self._workspace, uuid.bytes), key, head):
                self._folds[uuid.bytes] = fold
            else:
                unknown.append(uuid)
        return unknown

    async def _load(self, ids: list[UUID]) -> None:
        columns = [Build.__table__.c[column] for column in _BUILD_COLUMNS.values()]
        query = sa.select(Build.uuid, *columns).where(
            Build.workspace_id == self._workspace, self._bulk.among(Build.uuid, ids)
        )
        for uuid, *values in await self._connection.execute(query):
            state = BuildState(**dict(zip(_BUILD_COLUMNS, values, strict=True)))
            self._folds[uuid.bytes] = BuildFold(state, {})

    async def load_states(self, tasks: dict[bytes, dict[bytes, int]], dying: set[bytes]) -> None:
        """Add to the folds the states of these tasks, given with their keys by build.

        For the builds in `dying`, of all tasks that have not ended as well.
        """
        # A fold that has all states of its build lacks those of new tasks only.
        partial = {
            id: fold for id, fold in self._folds.items() if len(fold.tasks) < fold.build.task_count
        }
        wanted = {key for id in partial for key in tasks[id].values()}
        if wanted:
            await self._load_states(partial, self._bulk.among(BuildTask.task_id, [*wanted]))
        if dying := dying & partial.keys():
            await self._load_states(
                {id: partial[id] for id in dying}, BuildTask.status.not_in(TERMINAL)
            )

    async def _load_states(
        self, folds: dict[bytes, BuildFold], condition: sa.ColumnElement[bool]
    ) -> None:
        by_key = {fold.build.key: fold for fold in folds.values()}
        columns = [BuildTask.__table__.c[name] for name in _STATE_COLUMNS]
        query = (
            sa.select(stored_id(Task.uuid), *columns)
            .join(Task, Task.id == BuildTask.task_id)
            .where(self._bulk.among(BuildTask.build_id, [*by_key]), condition)
        )
        rows: sa.CursorResult[*tuple[Any, ...]] = await self._connection.execute(query)
        for uuid, build, *values in rows:
            by_key[build].tasks.setdefault(
                self._bulk.raw_id(uuid), TaskState(**dict(zip(_STATE_FIELDS, values, strict=True)))
            )

    def writes(self) -> list[Write]:
        """Return what stores what was folded since `lock`."""
        started: list[BuildFold] = []
        others: list[BuildFold] = []
        for id, fold in self._folds.items():
            starts = id in self._unstarted and fold.build.start_stream
            (started if starts else others).append(fold)
        writes = self._state_writes()
        if others:
            writes.append(_change(others, _CHANGING_FIELDS))
        if started:
            writes.append(_change(started, (*_CHANGING_FIELDS, *_START_FIELDS)))
        return writes

    def _state_writes(self) -> list[Write]:
        new: list[Row] = []
        changed: list[Row] = []
        for fold in self._folds.values():
            build = fold.build.key
            stored = self._stored_tasks[build]
            for ordinal, state in fold.changed.items():
                if ordinal > stored:
                    new.append((build, ordinal, state.task, *_changing(state)))
                else:
                    changed.append((build, ordinal, *_changing(state)))
        writes: list[Write] = []
        if new:
            writes.append(Append(BuildTask, _STATE_COLUMNS, new))
        if changed:
            writes.append(Change(BuildTask, _CHANGING_STATE_COLUMNS, changed, _STATE_KEY))
        return writes

    def remember(self) -> None:
        """Keep the folds for the commits to come."""
        for id, fold in self._folds.items():
            self._memory.keep((self._workspace, id), fold)


def _change(folds: Iterable[BuildFold], names: tuple[str, ...]) -> Change:
    """Return what sets the columns of these fields of BuildState."""
    columns = ("id", *(_BUILD_COLUMNS[name] for name in names))
    rows = [
        (fold.build.key, *(_storable(getattr(fold.build, name)) for name in names))
        for fold in folds
    ]
    return Change(Build, columns, rows, key=("id",))


def _changing(state: TaskState) -> Row:
    return (
        state.status,
        state.attempt,
        state.stream,
        state.start_time,
        state.start_monotonic,
        state.end_time,
        state.duration,
        state.progress,
        plain(state.output_uri) if state.output_uri else None,
        state.failure,
        state.position,
        state.update_time,
    )


def _storable(value: object) -> object:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        texts = cast(dict[str, object], value)
        value = {
            plain(key): plain(text) if isinstance(text, str) else text
            for key, text in texts.items()
        }
    return json.dumps(value) if isinstance(value, dict | list) else value


@functools.cache
def _lock_builds(bulk: Bulk) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(Build.uuid, Build.id, Build.head)
        .where(
            Build.workspace_id == sa.bindparam("workspace"),
            bulk.among_given(Build.uuid, "builds"),
        )
        .order_by(Build.uuid)
        .with_for_update()
    )
