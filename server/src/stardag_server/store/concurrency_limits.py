"""Concurrency limits: made, changed, listed, deleted."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag_server.domain.refusals import LimitInUse, QuotaExceeded
from stardag_server.store.database import Database
from stardag_server.store.leases import used_slots
from stardag_server.store.queries import AnyRow
from stardag_server.store.schema import ConcurrencyLimit, Workspace

MAX_LIMITS = 1_000
"""Most limits that a workspace may have."""


class ConcurrencyLimits:
    """The concurrency limits of one database, as rows with `used_slots`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, workspace: int, name: str, max_slots: int, description: str) -> AnyRow:
        """Make or change the limit of this name, and return it.

        Leases keep the slots they have. Raises QuotaExceeded for one too many.
        """
        described = {"max_slots": max_slots, "description": description}
        async with self._database.write() as connection:
            await _lock_workspace(connection, workspace)
            insert = self._database.insert(ConcurrencyLimit).values(
                workspace_id=workspace, name=name, **described
            )
            await connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["workspace_id", "name"], set_=described
                )
            )
            rows = await _rows(connection, workspace)
            if len(rows) > MAX_LIMITS:
                raise QuotaExceeded("concurrency limits", MAX_LIMITS)
            return next(row for row in rows if row.name == name)

    async def all(self, workspace: int) -> Sequence[AnyRow]:
        """Return all limits, by name."""
        async with self._database.read() as connection:
            return await _rows(connection, workspace)

    async def delete(self, workspace: int, name: str) -> None:
        """Delete a limit, if it is there. Raises LimitInUse if leases take up slots of it."""
        async with self._database.write() as connection:
            query = sa.select(ConcurrencyLimit.id).where(
                ConcurrencyLimit.workspace_id == workspace, ConcurrencyLimit.name == name
            )
            # Whoever gets a lease locks it too, so that nobody takes a slot meanwhile.
            limit = (await connection.execute(query.with_for_update())).scalar()
            if limit is None:
                return
            for row in await _rows(connection, workspace):
                if row.id == limit and row.used_slots:
                    raise LimitInUse(name, row.used_slots)
            await connection.execute(
                sa.delete(ConcurrencyLimit).where(ConcurrencyLimit.id == limit)
            )


async def _lock_workspace(connection: AsyncConnection, workspace: int) -> None:
    """Wait for others who make limits, so that all of them are counted."""
    query = sa.select(Workspace.id).where(Workspace.id == workspace)
    await connection.execute(query.with_for_update(key_share=True))


async def _rows(connection: AsyncConnection, workspace: int) -> Sequence[AnyRow]:
    used = used_slots(connection).subquery()
    query = (
        sa.select(
            ConcurrencyLimit.id,
            ConcurrencyLimit.name,
            ConcurrencyLimit.max_slots,
            ConcurrencyLimit.description,
            sa.cast(sa.func.coalesce(used.c.used, 0), sa.BigInteger).label("used_slots"),
        )
        .outerjoin(used, used.c.limit_id == ConcurrencyLimit.id)
        .where(ConcurrencyLimit.workspace_id == workspace)
        .order_by(ConcurrencyLimit.name)
    )
    return (await connection.execute(query)).all()
