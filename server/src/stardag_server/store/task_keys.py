"""From task ids to keys, for all tasks of a commit at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain.parameters import searchable
from stardag_server.store.bulk import Bulk
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


@dataclass(frozen=True, slots=True)
class KnownTask:
    """A task's row, as far as a commit needs it."""

    key: int
    identity: tuple[str | None, str | None, str | None]
    """Namespace, name and version; three times None while the task is not defined."""

    @property
    def defined(self) -> bool:
        """Whether a definition was received."""
        return self.identity[1] is not None

    def contradicts(self, definition: TaskDefinition) -> bool:
        """Tell whether the definition is another one than that which is stored."""
        return self.identity != _identity(definition)


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
        self._known: dict[bytes, KnownTask] = {}

    def __getitem__(self, task: bytes) -> KnownTask:
        return self._known[task]

    async def resolve(
        self,
        tasks: Iterable[bytes],
        definitions: dict[bytes, TaskDefinition],
        yielded: dict[bytes, set[bytes]],
    ) -> None:
        """Make all these tasks known, with their definitions and dependencies stored.

        `yielded` has the dynamic dependencies by task.
        """
        await self._find({*tasks, *definitions, *yielded})
        fresh = {
            task: definition
            for task, definition in definitions.items()
            if task not in self._known or not self._known[task].defined
        }
        edges = {
            (task, UUID(upstream).bytes): False
            for task, definition in fresh.items()
            for upstream in definition.dependency_ids
        }
        for task, upstreams in yielded.items():
            for upstream in upstreams:
                edges.setdefault((task, upstream), True)
        named = {*tasks, *yielded, *(upstream for _, upstream in edges)}
        await self._find(named - self._known.keys())
        missing = named - self._known.keys()
        await self._create({task: fresh.get(task) for task in fresh.keys() | missing})
        await self._connect(edges)

    async def defined(self, tasks: Iterable[bytes]) -> set[bytes]:
        """Return those of these tasks of which a definition is stored."""
        await self._find({*tasks})
        return {task for task, known in self._known.items() if known.defined}

    async def dynamic(self, tasks: Iterable[bytes]) -> dict[bytes, set[bytes]]:
        """Return the dynamic dependencies, as stored, of those of these tasks that have any."""
        ids = [UUID(bytes=task) for task in tasks]
        upstream = aliased(Task)
        query = (
            sa.select(Task.uuid, upstream.uuid)
            .join(TaskDependency, TaskDependency.task_id == Task.id)
            .join(upstream, upstream.id == TaskDependency.upstream_id)
            .where(
                Task.workspace_id == self._workspace,
                self._bulk.among(Task.uuid, ids),
                TaskDependency.dynamic,
            )
        )
        stored: dict[bytes, set[bytes]] = {}
        for task, dependency in await self._connection.execute(query):
            stored.setdefault(task.bytes, set()).add(dependency.bytes)
        return stored

    async def _find(self, tasks: set[bytes]) -> None:
        if not tasks:
            return
        ids = [UUID(bytes=task) for task in tasks]
        query = sa.select(Task.id, Task.uuid, Task.namespace, Task.name, Task.version).where(
            Task.workspace_id == self._workspace, self._bulk.among(Task.uuid, ids)
        )
        for key, uuid, *identity in await self._connection.execute(query):
            self._known[uuid.bytes] = KnownTask(key, (identity[0], identity[1], identity[2]))

    async def _create(self, tasks: dict[bytes, TaskDefinition | None]) -> None:
        if not tasks:
            return
        rows = [
            (self._workspace, UUID(bytes=task), self._now, *_definition(definition))
            for task, definition in sorted(tasks.items(), key=lambda item: item[0])
        ]
        await self._bulk.merge(
            self._connection,
            Task,
            _COLUMNS,
            rows,
            key=("workspace_id", "uuid"),
            update=_DEFINITION,
            only_if_null="identity_json",
        )
        await self._find(set(tasks))

    async def _connect(self, edges: dict[tuple[bytes, bytes], bool]) -> None:
        rows = sorted(
            (self._known[task].key, self._known[upstream].key, dynamic)
            for (task, upstream), dynamic in edges.items()
        )
        if rows:
            await self._bulk.merge(
                self._connection,
                TaskDependency,
                ("task_id", "upstream_id", "dynamic"),
                rows,
                key=("task_id", "upstream_id"),
            )


def _identity(definition: TaskDefinition) -> tuple[str, str, str]:
    return plain(definition.namespace), plain(definition.name), plain(definition.version)


def _definition(definition: TaskDefinition | None) -> Sequence[Any]:
    if definition is None:
        return [{} if name == "params" else None for name in _DEFINITION]
    same = definition.params_json == definition.identity_json
    return (
        *_identity(definition),
        definition.identity_json,
        None if same else definition.params_json or None,
        searchable(definition.params_json or definition.identity_json),
        plain(definition.output_uri),
    )
