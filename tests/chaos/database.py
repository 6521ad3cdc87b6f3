"""What is in the database, in the words of the builders that said it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from stardag.v1.event_pb2 import EventType, NewEvent
from stardag.v1.task_pb2 import TaskStatus
from stardag_server.store.schema import Build, BuildTask, Event, StrayEvent, Stream, Task


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it is in the database, but for its definition, which is with the task."""

    stream: UUID
    sequence: int
    build: UUID
    event: NewEvent
    rejection: int | None

    @property
    def type(self) -> str:
        return EventType.Name(self.event.type).removeprefix("EVENT_TYPE_")


@dataclass(frozen=True, slots=True)
class Database:
    """All of it that is checked."""

    events: list[Stored]
    """By build, in the order of its log; what the server inferred is left out."""
    definitions: dict[bytes, str | None]
    """The exact text of each task's identity, by its id."""
    tasks: dict[tuple[UUID, bytes], str]
    """The status of each task in a build, by the ids of both."""
    counts: dict[UUID, dict[str, int]]
    """How many tasks of each status a build is said to have; those that it has none of left out."""
    strays: int


_TASK_STATUSES: dict[int, str] = {
    number: name.removeprefix("TASK_STATUS_") for name, number in TaskStatus.items()
}
_STATES = (
    sa.select(Build.uuid, Task.uuid, BuildTask.status)
    .join(Build, Build.id == BuildTask.build_id)
    .join(Task, Task.id == BuildTask.task_id)
)


async def read_database(url: str) -> Database:
    """Return what the database at `url` has."""
    columns = (
        *(Stream.uuid, Event.sequence, Build.uuid, Task.uuid, Event.event_time),
        *(Event.monotonic, Event.attempt, Event.type, Event.rejection, Event.detail),
    )
    query = (
        sa.select(*columns)
        .join(Stream, Stream.id == Event.stream_id)
        .join(Build, Build.id == Event.build_id)
        .outerjoin(Task, Task.id == Event.task_id)
        .where(Event.sequence > 0)
        .order_by(Event.build_id, Event.position)
    )
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        events = [_stored(*row) for row in await connection.execute(query)]
        tasks = await connection.execute(sa.select(Task.uuid, Task.identity_json))
        definitions = {task.bytes: identity for task, identity in tasks}
        states = {
            (build, task.bytes): _TASK_STATUSES[status]
            for build, task, status in await connection.execute(_STATES)
        }
        counts = {
            build: {_TASK_STATUSES[n]: count for n, count in enumerate(counted) if count}
            for build, counted in await connection.execute(sa.select(Build.uuid, Build.task_counts))
        }
        count = sa.select(sa.func.count()).select_from(StrayEvent)
        strays = (await connection.execute(count)).scalar_one()
    await engine.dispose()
    return Database(events, definitions, states, counts, strays)


def _stored(
    stream: UUID,
    sequence: int,
    build: UUID,
    task: UUID | None,
    event_time: int,
    monotonic: int,
    attempt: int,
    type: EventType.ValueType,
    rejection: int | None,
    detail: bytes | None,
) -> Stored:
    event = NewEvent.FromString(detail or b"")
    event.build_id = build.bytes
    if task is not None:
        event.task_id = task.bytes
    event.type, event.attempt = type, attempt
    event.event_time_us, event.monotonic_us = event_time, monotonic
    return Stored(stream, sequence, build, event, rejection)
