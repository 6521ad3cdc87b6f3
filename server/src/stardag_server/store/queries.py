"""What is read: rows by key, in pages by key, never by offset.

Rows have the columns that `services/messages.py` turns into messages. A method
that names a build raises BuildNotFound if the workspace has none with that id.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from stardag.v1 import event_pb2 as pb
from stardag.v1.build_pb2 import BUILD_STATUS_RUNNING
from stardag_server.domain.refusals import BuildNotFound, TaskNotFound
from stardag_server.store.bulk import Bulk
from stardag_server.store.database import Database
from stardag_server.store.schema import Build, BuildTask, Event, Stream, Task, TaskDependency

AnyRow = sa.Row[*tuple[Any, ...]]

_MAX_CANCELS = 100

BUILD_COLUMNS = tuple(column for column in Build.__table__.c if column.name != "root_task_ids")


def state_columns(state: type[BuildTask] = BuildTask) -> tuple[Any, ...]:
    """Return the columns that the message of a state is made of, in the order that it wants."""
    return (
        Task.uuid.label("task_uuid"),
        state.ordinal,
        state.status,
        state.attempt,
        state.start_time,
        state.end_time,
        state.duration,
        state.failure,
        state.progress,
        Task.namespace,
        Task.name,
        sa.func.coalesce(state.output_uri, Task.output_uri).label("output_uri"),
        state.position,
    )


STATE_COLUMNS = state_columns()


def event_columns() -> tuple[Any, ...]:
    """Return the columns that the message of an event is made of."""
    return (
        Event.position,
        Task.uuid.label("task_uuid"),
        Event.type,
        Event.attempt,
        Event.event_time,
        Event.monotonic,
        Event.commit_time,
        Stream.uuid.label("stream_uuid"),
        Event.sequence,
        Event.rejection,
        Event.rejection_message,
        Event.detail,
    )


def events_query(*columns: Any) -> sa.Select[*tuple[Any, ...]]:
    """Return a query for columns of events, of their streams, and of their tasks if any."""
    return (
        sa.select(*columns)
        .select_from(Event)
        .join(Stream, Stream.id == Event.stream_id)
        .outerjoin(Task, Task.id == Event.task_id)
    )


class Queries:
    """Reads of one database; each method is one consistent read of what is committed."""

    def __init__(self, database: Database, bulk: Bulk) -> None:
        self._database = database
        self._bulk = bulk

    async def build(self, workspace: int, build: UUID) -> AnyRow:
        """Return a build, with its roots."""
        given = {"workspace": workspace, "build": build}
        async with self._database.read() as connection:
            row = (await connection.execute(_BUILD, given)).one_or_none()
        if row is None:
            raise BuildNotFound(build)
        return row

    async def heads(self, builds: Sequence[int]) -> dict[int, int]:
        """Return the position of the last event of each of these builds, by key."""
        query = sa.select(Build.id, Build.head).where(self._bulk.among(Build.id, builds))
        async with self._database.read() as connection:
            return {row.id: row.head for row in await connection.execute(query)}

    async def task_states(self, build: int, after: int, limit: int) -> Sequence[AnyRow]:
        """Return the states of a build's tasks with an ordinal above `after`, by ordinal."""
        given = {"build": build, "after": after, "limit": limit}
        async with self._database.read() as connection:
            return (await connection.execute(_STATES_AFTER, given)).all()

    async def changed_task_states(self, build: int, after: int, until: int) -> Sequence[AnyRow]:
        """Return the states of the tasks that events after one position up to another touched.

        They are as of now, so they may be later than `until`.
        """
        touched = sa.select(Event.task_id).where(
            Event.build_id == build, Event.position > after, Event.position <= until
        )
        deaths = touched.with_only_columns(Event.position).where(
            Event.type == pb.EVENT_TYPE_PRODUCER_DIED
        )
        async with self._database.read() as connection:
            positions = (await connection.execute(deaths)).scalars().all()
            query = _states(build).where(
                BuildTask.task_id.in_(touched.where(Event.task_id.is_not(None)))
            )
            rows = list((await connection.execute(query)).all())
            # A producer's death changes tasks that no event of their own names.
            if positions:
                seen = {row.ordinal for row in rows}
                query = _states(build).where(BuildTask.position.in_(positions))
                others = (await connection.execute(query)).all()
                rows += (row for row in others if row.ordinal not in seen)
        return sorted(rows, key=lambda row: row.ordinal)

    async def events(self, build: int, after: int, until: int, limit: int) -> Sequence[AnyRow]:
        """Return a build's events after one position up to another, in order."""
        query = (
            events_query(*event_columns())
            .where(Event.build_id == build, Event.position > after, Event.position <= until)
            .order_by(Event.position)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).all()

    async def edges(self, build: int, task_count: int) -> list[tuple[int, int]]:
        """Return (upstream, downstream) ordinals among the first so many tasks of a build."""
        async with self._database.read() as connection:
            return [
                (upstream, downstream)
                for upstream, downstream in (
                    await connection.execute(_EDGES, {"build": build})
                ).all()
                if upstream <= task_count and downstream <= task_count
            ]

    async def task(self, workspace: int, task: UUID) -> tuple[AnyRow, list[UUID], AnyRow | None]:
        """Return a task, its direct dependencies, and its state where last touched.

        Raises TaskNotFound if the workspace has none with that id.
        """
        query = sa.select(Task).where(Task.workspace_id == workspace, Task.uuid == task)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise TaskNotFound(task)
            upstreams = await _upstreams(connection, row.id)
            latest = (
                sa.select(*STATE_COLUMNS, Build.uuid.label("build_uuid"))
                .join(Task, Task.id == BuildTask.task_id)
                .join(Build, Build.id == BuildTask.build_id)
                .where(BuildTask.task_id == row.id)
                .order_by(BuildTask.update_time.desc(), BuildTask.build_id.desc())
                .limit(1)
            )
            state = (await connection.execute(latest)).one_or_none()
        return row, upstreams, state

    async def cancels(self, workspace: int, streams: Sequence[UUID]) -> Sequence[AnyRow]:
        """Return the builds that run, were asked to stop, and were started by these streams.

        Of each its id, `cancel_reason` and the `stream_uuid`; at most 100 of a stream.
        """
        query = (
            sa.select(Build.uuid, Build.cancel_reason, Stream.uuid.label("stream_uuid"))
            .join(Stream, Stream.id == Build.start_stream_id)
            .where(
                Build.workspace_id == workspace,
                Build.status == BUILD_STATUS_RUNNING,
                Build.cancel_time > 0,
                self._bulk.among(Stream.uuid, streams),
            )
            .order_by(Build.id)
            .limit(_MAX_CANCELS * len(streams))
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).all()

    async def watermark(self, workspace: int, stream: UUID) -> int:
        """Return the last committed sequence number of a stream; 0 for one never seen."""
        query = sa.select(Stream.watermark).where(
            Stream.workspace_id == workspace, Stream.uuid == stream
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none() or 0


# Made once: that takes SQLAlchemy as long as the database takes to answer.
_BUILD = sa.select(*BUILD_COLUMNS, Build.root_task_ids).where(
    Build.workspace_id == sa.bindparam("workspace"), Build.uuid == sa.bindparam("build")
)
_STATES_AFTER = (
    sa.select(*STATE_COLUMNS)
    .join(Task, Task.id == BuildTask.task_id)
    .where(BuildTask.build_id == sa.bindparam("build"), BuildTask.ordinal > sa.bindparam("after"))
    .order_by(BuildTask.ordinal)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_UPSTREAM, _DOWNSTREAM = aliased(BuildTask), aliased(BuildTask)
# No range of ordinals on both sides: SQLite would then pair all tasks with all.
_EDGES = (
    sa.select(_UPSTREAM.ordinal, _DOWNSTREAM.ordinal)
    .select_from(_DOWNSTREAM)
    .join(TaskDependency, TaskDependency.task_id == _DOWNSTREAM.task_id)
    .join(
        _UPSTREAM,
        sa.and_(
            _UPSTREAM.task_id == TaskDependency.upstream_id,
            _UPSTREAM.build_id == _DOWNSTREAM.build_id,
        ),
    )
    .where(_DOWNSTREAM.build_id == sa.bindparam("build"))
)


def _states(build: int) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(*STATE_COLUMNS)
        .join(Task, Task.id == BuildTask.task_id)
        .where(BuildTask.build_id == build)
    )


async def _upstreams(connection: AsyncConnection, task: int) -> list[UUID]:
    query = (
        sa.select(Task.uuid)
        .join(TaskDependency, TaskDependency.upstream_id == Task.id)
        .where(TaskDependency.task_id == task)
        .order_by(Task.uuid)
    )
    return list((await connection.execute(query)).scalars())
