"""Workspaces: made, read, changed, listed. None is deleted or renamed."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag.v1.workspace_pb2 import WorkspaceLimits
from stardag_server.domain.refusals import EtagMismatch, WorkspaceNotFound
from stardag_server.domain.retention import RetentionPolicy
from stardag_server.domain.workspace import limits_that_hold, retention_that_holds
from stardag_server.store.database import Database, clock
from stardag_server.store.queries import AnyRow
from stardag_server.store.schema import Workspace

_ALL = tuple(Workspace.__table__.c)


class Workspaces:
    """The workspaces of one database, as rows with all their columns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure(self, name: str, **columns: Any) -> AnyRow:
        """Return the workspace of this name; make it, with these columns, if it is not there."""
        async with self._database.write() as connection:
            insert = self._database.insert(Workspace).values(
                name=name, create_time=clock(connection), **columns
            )
            await connection.execute(insert.on_conflict_do_nothing())
            query = sa.select(*_ALL).where(Workspace.name == name)
            return (await connection.execute(query)).one()

    async def find(self, name: str) -> int | None:
        """Return the key of the workspace with this name, None if there is none."""
        with contextlib.suppress(WorkspaceNotFound):
            return await self.named(name)
        return None

    async def named(self, name: str) -> int:
        """Return the key of the workspace with this name. Raises WorkspaceNotFound."""
        async with self._database.read_all() as connection:
            return await named_workspace(connection, name)

    async def get(self, key: int) -> AnyRow:
        """Return the workspace with this key, which must be there."""
        async with self._database.read() as connection:
            return await _get(connection, sa.select(*_ALL), key)

    async def update(
        self, key: int, etag: str, change: Callable[[AnyRow], dict[str, Any]]
    ) -> AnyRow:
        """Give the workspace the columns that `change` returns for its row; return the new row.

        Raises EtagMismatch if `etag` is given and is not that of the row.
        """
        async with self._database.write() as connection:
            row = await _get(connection, sa.select(*_ALL).with_for_update(key_share=True), key)
            if etag and etag != str(row.revision):
                raise EtagMismatch(str(row.revision))
            update = (
                sa.update(Workspace)
                .where(Workspace.id == key)
                .values(revision=row.revision + 1, **change(row))
            )
            return (await connection.execute(update.returning(*_ALL))).one()

    async def page(self, after: int | None, limit: int) -> Sequence[AnyRow]:
        """Return workspaces by name, those after the one with the key `after`."""
        query = sa.select(*_ALL).order_by(Workspace.name).limit(limit)
        if after is not None:
            last = sa.select(Workspace.name).where(Workspace.id == after).scalar_subquery()
            query = query.where(Workspace.name > last)
        async with self._database.read_all() as connection:
            return (await connection.execute(query)).all()

    async def policies(
        self, default: RetentionPolicy, only: int | None = None
    ) -> list[tuple[int, RetentionPolicy]]:
        """Return the key of each workspace, or of one, and the retention that holds for it."""
        query = sa.select(Workspace.id, Workspace.retention).order_by(Workspace.id)
        if only is not None:
            query = query.where(Workspace.id == only)
        async with self._database.read_all() as connection:
            rows = (await connection.execute(query)).all()
        return [(row.id, retention_that_holds(row.retention, default)) for row in rows]

    async def policy(self, key: int, default: RetentionPolicy) -> RetentionPolicy:
        """Return the retention that holds for the workspace with this key."""
        return retention_that_holds((await self.get(key)).retention, default)

    async def limits(self) -> dict[int, WorkspaceLimits]:
        """Return the limits that hold for each workspace, by key."""
        query = sa.select(Workspace.id, Workspace.limits)
        async with self._database.read_all() as connection:
            rows = (await connection.execute(query)).all()
        return {row.id: limits_that_hold(row.limits) for row in rows}


async def named_workspace(connection: AsyncConnection, name: str) -> int:
    """Return the key of the workspace with this name. Raises WorkspaceNotFound."""
    query = sa.select(Workspace.id).where(Workspace.name == name)
    key = (await connection.execute(query)).scalar_one_or_none()
    if key is None:
        raise WorkspaceNotFound(name)
    return key


async def _get(connection: AsyncConnection, query: sa.Select[*tuple[Any, ...]], key: int) -> AnyRow:
    return (await connection.execute(query.where(Workspace.id == key))).one()
