"""Events that were stored without being applied: those in logs, and those that name no build."""

import heapq
from uuid import UUID

import sqlalchemy as sa

from stardag_server.store.database import Database
from stardag_server.store.queries import AnyRow, event_columns, events_query
from stardag_server.store.schema import Build, Event, StrayEvent, Stream

RejectionPlace = tuple[int, ...]
"""When one was committed; 1 if it is in a log, else 0; keys of its build and its position, or of
its stream and its sequence number. Greater ones come first."""


class RejectedEvents:
    """Reads the rejected events of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, workspace: int, after: RejectionPlace | None, limit: int, stream: UUID | None
    ) -> list[tuple[RejectionPlace, AnyRow]]:
        """Return rejected events after a place, those committed last first, with their places.

        Rows of strays have `event`, as it was received, and others what those of
        `Queries.events` have, and `build_uuid`.
        """
        logged = (
            events_query(
                *event_columns(), Event.build_id.label("build_key"), Build.uuid.label("build_uuid")
            )
            .join(Build, Build.id == Event.build_id)
            .where(Build.workspace_id == workspace, Event.rejection.is_not(None))
        )
        stray = (
            sa.select(*StrayEvent.__table__.c, Stream.uuid.label("stream_uuid"))
            .join(Stream, Stream.id == StrayEvent.stream_id)
            .where(Stream.workspace_id == workspace)
        )
        in_log = (Event.commit_time, sa.literal(1), Event.build_id, Event.position)
        astray = (
            StrayEvent.commit_time,
            sa.literal(0),
            StrayEvent.stream_id,
            StrayEvent.sequence,
        )
        found: list[list[tuple[RejectionPlace, AnyRow]]] = []
        async with self._database.read() as connection:
            for query, keys in ((logged, in_log), (stray, astray)):
                page = query
                if stream is not None:
                    page = page.where(Stream.uuid == stream)
                if after is not None:
                    page = page.where(sa.tuple_(*keys) < sa.tuple_(*after))
                first, _, *others = keys
                page = page.order_by(*(key.desc() for key in (first, *others))).limit(limit)
                rows = (await connection.execute(page)).all()
                found.append([(_place(row), row) for row in rows])
        merged = heapq.merge(*found, key=lambda each: each[0], reverse=True)
        return [each for each, _ in zip(merged, range(limit), strict=False)]


def _place(row: AnyRow) -> RejectionPlace:
    if is_stray(row):
        return (row.commit_time, 0, row.stream_id, row.sequence)
    return (row.commit_time, 1, row.build_key, row.position)


def is_stray(row: AnyRow) -> bool:
    """Tell whether a row is of an event that names no known build."""
    return "event" in row._fields
