"""Events, and older revisions of assets, that go before their build or task does."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag_server.domain.retention import RetentionPolicy
from stardag_server.store.database import Database, clock
from stardag_server.store.partitions import EventPartitions
from stardag_server.store.schema import Asset, Build, Event
from stardag_server.store.workspace_log import forget_ranges

_PORTION = 20_000
_REVISIONS = 100


class Trimming:
    """Deletes them in portions, each a transaction of its own, so that nobody waits for long."""

    def __init__(self, database: Database, partitions: EventPartitions) -> None:
        self._database = database
        self._partitions = partitions

    async def due_events(
        self,
        connection: AsyncConnection,
        workspace: int,
        policy: RetentionPolicy,
        without: Collection[int],
    ) -> int:
        """Return how many events `trim` would delete, without those of some builds."""
        left_out = frozenset(without)
        due = 0
        for build, trimmed in await _with_old_events(connection, workspace, policy):
            if build not in left_out:
                due += await _last_old_event(connection, build, trimmed, policy) - trimmed
        return due

    async def due_revisions(
        self, connection: AsyncConnection, workspace: int, policy: RetentionPolicy
    ) -> int:
        """Return how many revisions `delete_revisions` would delete."""
        old = _old_revisions(connection, workspace, policy)
        return (
            await connection.execute(sa.select(sa.func.count(Asset.id)).where(*old))
        ).scalar_one()

    async def trim(self, workspace: int, policy: RetentionPolicy) -> int:
        """Delete the events of builds that stay; return how many."""
        async with self._database.read() as connection:
            builds = await _with_old_events(connection, workspace, policy)
        deleted = 0
        for build, trimmed in builds:
            async with self._database.read() as connection:
                until = await _last_old_event(connection, build, trimmed, policy)
            await self.delete_events(build, trimmed, until)
            deleted += until - trimmed
        if deleted:
            await self._partitions.drop_empty()
        return deleted

    async def delete_revisions(self, workspace: int, policy: RetentionPolicy) -> int:
        """Delete revisions of assets that are not the latest; return how many."""
        deleted = 0
        while True:
            async with self._database.write() as connection:
                old = sa.select(Asset.id).where(*_old_revisions(connection, workspace, policy))
                delete = sa.delete(Asset).where(Asset.id.in_(old.limit(_REVISIONS)))
                count = (await connection.execute(delete)).rowcount
            deleted += count
            if count < _REVISIONS:
                return deleted

    async def delete_events(self, build: int, after: int, until: int) -> None:
        """Delete a build's events after one position up to another, and note that."""
        for begin in range(after, until, _PORTION):
            end = min(begin + _PORTION, until)
            async with self._database.write() as connection:
                note = sa.update(Build).where(Build.id == build, Build.trimmed < end)
                await connection.execute(note.values(trimmed=end))
                await forget_ranges(connection, build, end)
                await connection.execute(
                    sa.delete(Event).where(
                        Event.build_id == build, Event.position > begin, Event.position <= end
                    )
                )


async def _with_old_events(
    connection: AsyncConnection, workspace: int, policy: RetentionPolicy
) -> Sequence[sa.Row[int, int]]:
    """Return the builds that may have events to be deleted, and how far theirs are."""
    if not policy.events:
        return ()
    query = sa.select(Build.id, Build.trimmed).where(
        Build.workspace_id == workspace,
        Build.create_time < clock(connection) - policy.events,
        Build.trimmed < Build.head,
    )
    return (await connection.execute(query)).all()


async def _last_old_event(
    connection: AsyncConnection, build: int, trimmed: int, policy: RetentionPolicy
) -> int:
    """Return the position up to which a build's events are to be deleted."""
    query = sa.select(sa.func.max(Event.position)).where(
        Event.build_id == build,
        Event.position > trimmed,
        Event.commit_time < clock(connection) - policy.events,
    )
    return (await connection.execute(query)).scalar_one() or trimmed


def _old_revisions(
    connection: AsyncConnection, workspace: int, policy: RetentionPolicy
) -> tuple[sa.ColumnElement[bool], ...]:
    if not policy.asset_revisions:
        return (sa.false(),)
    return (
        Asset.workspace_id == workspace,
        ~Asset.latest,
        Asset.create_time < clock(connection) - policy.asset_revisions,
    )
