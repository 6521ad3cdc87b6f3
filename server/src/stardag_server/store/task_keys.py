"""From task ids to keys, for all tasks of a commit at once."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain.parameters import searchable
from stardag_server.store.bulk import Append, Bulk, Merge, Row, Write, stored_id
from stardag_server.store.schema import Task, TaskDependency, plain

_DEFINITION = (
    "namespace",
    "name",
    "version",
    "identity_json",
    "params_json",
    "params",
    "output_uri",
)
_COLUMNS = ("workspace_id", "uuid", "create_time", *_DEFINITION)
_UNIQUE = ("workspace_id", "uuid")
_NO_PARAMS = "{}"
_EDGE_KEY = ("task_id", "upstream_id")
_EDGE_COLUMNS = (*_EDGE_KEY, "dynamic")


class TaskKeys:
    """Finds tasks, and creates those that are not there.

    The first definition of a task is kept. A task that is only named is a
    placeholder, which a later definition fills.
    """

    def __init__(self, connection: AsyncConnection, bulk: Bulk, workspace: int, now: int) -> None:
        self._connection = connection
        self._bulk = bulk
        self._workspace = workspace
        self._now = now
        self._keys: dict[bytes, int] = {}
        # Namespace, name and version of those that are defined.
        self._types: dict[bytes, tuple[str | None, str | None, str | None]] = {}

    def __getitem__(self, task: bytes) -> int:
        return self._keys[task]

    def contradicts(self, task: bytes, definition: TaskDefinition) -> bool:
        """Tell whether the definition of this task is another one than that which is stored."""
        return self._types[task] != _type(definition)

    async def resolve(
        self,
        tasks: Iterable[bytes],
        definitions: dict[bytes, TaskDefinition],
        yielded: dict[bytes, set[bytes]],
    ) -> list[Write]:
        """Make all these tasks known and defined; return what stores their dependencies.

        `yielded` has the dynamic dependencies by task.
        """
        asked = {*tasks, *definitions, *yielded}
        await self._find(asked)
        fresh = {
            task: definition for task, definition in definitions.items() if task not in self._types
        }
        static = {
            task: {_raw_id(upstream) for upstream in definition.dependency_ids}
            for task, definition in fresh.items()
        }
        named = {*tasks, *yielded}.union(*static.values(), *yielded.values())
        await self._find(named - asked)
        missing = named - self._keys.keys()
        made = await self._create({task: fresh.get(task) for task in missing})
        await self._fill({task: fresh[task] for task in fresh.keys() - made})
        return self._edges(static, yielded, made)

    async def defined(self, tasks: Iterable[bytes]) -> set[bytes]:
        """Return those of these tasks of which a definition is stored."""
        await self._find({*tasks})
        return {*self._types}

    async def dynamic(self, tasks: Iterable[bytes]) -> dict[bytes, set[bytes]]:
        """Return the dynamic dependencies, as stored, of those of these tasks that have any."""
        upstream = aliased(Task)
        query = (
            sa.select(stored_id(Task.uuid), stored_id(upstream.uuid))
            .join(TaskDependency, TaskDependency.task_id == Task.id)
            .join(upstream, upstream.id == TaskDependency.upstream_id)
            .where(
                Task.workspace_id == self._workspace,
                self._bulk.among(Task.uuid, self._ids(tasks)),
                TaskDependency.dynamic,
            )
        )
        raw_id = self._bulk.raw_id
        stored: dict[bytes, set[bytes]] = {}
        for task, dependency in await self._connection.execute(query):
            stored.setdefault(raw_id(task), set()).add(raw_id(dependency))
        return stored

    def _ids(self, tasks: Iterable[bytes]) -> list[Any]:
        return [self._bulk.id(task) for task in tasks]

    async def _find(self, tasks: set[bytes]) -> None:
        if not tasks:
            return
        query = _find(self._bulk)
        given = {"workspace": self._workspace, "tasks": self._bulk.given(self._ids(tasks))}
        raw_id = self._bulk.raw_id
        for uuid, key, namespace, name, version in await self._connection.execute(query, given):
            task = raw_id(uuid)
            self._keys[task] = key
            if name is not None:
                self._types[task] = (namespace, name, version)

    async def _create(self, tasks: dict[bytes, TaskDefinition | None]) -> set[bytes]:
        """Create tasks that were not found; return those that nobody else created meanwhile."""
        if not tasks:
            return set()
        made = await self._bulk.create(
            self._connection, Merge(Task, _COLUMNS, self._rows(tasks), _UNIQUE)
        )
        raw_id = self._bulk.raw_id
        keys = {raw_id(uuid): key for uuid, key in made}
        self._keys.update(keys)
        for task in keys:
            if definition := tasks[task]:
                self._types[task] = _type(definition)
        await self._find(tasks.keys() - keys.keys())
        return {*keys}

    async def _fill(self, tasks: dict[bytes, TaskDefinition]) -> None:
        """Define tasks that are there; those that are defined by now are left as they are."""
        if not tasks:
            return
        merge = Merge(Task, _COLUMNS, self._rows(tasks), _UNIQUE, _DEFINITION, "identity_json")
        await self._bulk.write(self._connection, [merge])
        await self._find({*tasks})

    def _rows(self, tasks: Mapping[bytes, TaskDefinition | None]) -> list[Row]:
        return [
            (self._workspace, self._bulk.id(task), self._now, *_definition(tasks[task]))
            for task in sorted(tasks)
        ]

    def _edges(
        self, static: dict[bytes, set[bytes]], yielded: dict[bytes, set[bytes]], made: set[bytes]
    ) -> list[Write]:
        """Return what stores the dependencies.

        Of tasks that this transaction `made` nobody else can store any.
        """
        keys = self._keys
        new: list[Row] = []
        others: list[Row] = []
        for task, upstreams in static.items():
            key = keys[task]
            rows = new if task in made else others
            rows += [(key, keys[upstream], False) for upstream in upstreams]
        for task, upstreams in yielded.items():
            key = keys[task]
            rows = new if task in made else others
            known = static.get(task, ())
            rows += [(key, keys[upstream], True) for upstream in upstreams if upstream not in known]
        writes: list[Write] = []
        if new:
            writes.append(Append(TaskDependency, _EDGE_COLUMNS, new))
        if others:
            writes.append(Merge(TaskDependency, _EDGE_COLUMNS, sorted(others), _EDGE_KEY))
        return writes


@functools.cache
def _find(bulk: Bulk) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(stored_id(Task.uuid), Task.id, Task.namespace, Task.name, Task.version).where(
        Task.workspace_id == sa.bindparam("workspace"), bulk.among_given(Task.uuid, "tasks")
    )


def _raw_id(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def _type(definition: TaskDefinition) -> tuple[str, str, str]:
    return plain(definition.namespace), plain(definition.name), plain(definition.version)


def _definition(definition: TaskDefinition | None) -> Sequence[Any]:
    if definition is None:
        return [_NO_PARAMS if name == "params" else None for name in _DEFINITION]
    identity, params = definition.identity_json, definition.params_json
    return (
        *_type(definition),
        identity,
        None if params == identity else params or None,
        searchable(params or identity),
        plain(definition.output_uri),
    )
