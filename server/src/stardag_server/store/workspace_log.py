"""The log of a workspace: what its commits wrote into the logs of its builds, in their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag_server.domain.filters import Condition
from stardag_server.store.conditions import FieldColumns, compiled
from stardag_server.store.database import Database
from stardag_server.store.queries import AnyRow, event_columns, events_query
from stardag_server.store.schema import Build, CommittedRange, Event, WorkspaceLog


@dataclass(frozen=True, slots=True, order=True)
class LogPlace:
    """A place in a workspace's log: after an event of a build, in the order of commits."""

    number: int
    build: int = 0
    """Key of the build; 0 before all of the commit's, and greater than any after them."""
    position: int = 0


class WorkspaceLogs:
    """Reads the logs of workspaces."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fields = FieldColumns(database.postgres)

    async def head(self, workspace: int) -> tuple[int, int]:
        """Return the number of the last commit, and of the newest of which events are gone."""
        query = sa.select(WorkspaceLog.head, WorkspaceLog.trimmed).where(
            WorkspaceLog.workspace_id == workspace
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return (row.head, row.trimmed) if row else (0, 0)

    async def heads(self, workspaces: Sequence[int]) -> Mapping[int, int]:
        """Return the number of the last commit of each of these workspaces that has any."""
        query = sa.select(WorkspaceLog.workspace_id, WorkspaceLog.head).where(
            WorkspaceLog.workspace_id.in_(workspaces)
        )
        async with self._database.read() as connection:
            return {row.workspace_id: row.head for row in await connection.execute(query)}

    async def events(
        self,
        workspace: int,
        after: LogPlace,
        until: int,
        limit: int,
        condition: Condition | None = None,
    ) -> Sequence[AnyRow]:
        """Return events after a place, up to and with the commit of a number, in order.

        Rows have what those of `Queries.events` have, and `number`, `build_key`, `build_uuid`.
        """
        place = sa.tuple_(CommittedRange.number, Event.build_id, Event.position)
        query = (
            events_query(
                *event_columns(),
                CommittedRange.number,
                Event.build_id.label("build_key"),
                Build.uuid.label("build_uuid"),
            )
            .join(
                CommittedRange,
                sa.and_(
                    CommittedRange.build_id == Event.build_id,
                    Event.position >= CommittedRange.first_position,
                    Event.position <= CommittedRange.last_position,
                ),
            )
            .join(Build, Build.id == Event.build_id)
            .where(
                CommittedRange.workspace_id == workspace,
                CommittedRange.number >= after.number,
                CommittedRange.number <= until,
                place > sa.tuple_(after.number, after.build, after.position),
            )
            .order_by(CommittedRange.number, Event.build_id, Event.position)
            .limit(limit)
        )
        if condition is not None:
            query = query.where(compiled(condition, self._fields.events()))
        async with self._database.read() as connection:
            return (await connection.execute(query)).all()


async def forget_ranges(connection: AsyncConnection, build: int, until: int) -> None:
    """Delete what the log says of a build's events up to a position: they are deleted.

    Who has not read so far can't go on any more.
    """
    gone = (
        sa.delete(CommittedRange)
        .where(CommittedRange.build_id == build, CommittedRange.first_position <= until)
        .returning(CommittedRange.workspace_id, CommittedRange.number)
    )
    rows = (await connection.execute(gone)).all()
    for workspace in {row.workspace_id for row in rows}:
        newest = max(row.number for row in rows if row.workspace_id == workspace)
        trim = sa.update(WorkspaceLog).where(
            WorkspaceLog.workspace_id == workspace, WorkspaceLog.trimmed < newest
        )
        await connection.execute(trim.values(trimmed=newest))
