"""Builds moved from one database to another as an archive."""

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import BinaryIO
from uuid import UUID

from stardag.v1.build_archive_pb2 import (
    ArchivedEvent,
    BuildArchiveEnd,
    BuildArchiveEvents,
    BuildArchiveHeader,
    BuildArchivePart,
    BuildArchiveTasks,
)
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.archive_file import read_parts
from stardag_server.domain import limits
from stardag_server.domain.archive import FORMAT, ArchiveCheck
from stardag_server.domain.pages import parts
from stardag_server.services.messages import asset_message, timestamp
from stardag_server.store.event_rows import restored
from stardag_server.store.queries import AnyRow
from stardag_server.store.store import Store


async def export_build(store: Store, workspace: int, id: UUID) -> AsyncIterator[BuildArchivePart]:
    """Yield the parts of the archive of a build as of now. Raises BuildNotFound."""
    build = await store.queries.build(workspace, id)
    tasks, head = sum(build.task_counts), build.head
    streams = await store.archives.streams(build.id, head)
    header = BuildArchiveHeader(
        format=FORMAT,
        build_id=str(id),
        server_version=version("stardag-server"),
        export_time=timestamp((await store.info()).now),
        stream_ids=map(str, streams),
        last_position=head,
        incomplete=not await store.archives.has_events(build.id, head),
    )
    yield BuildArchivePart(header=header)
    ordinal = 0
    while ordinal < tasks:
        rows, upstreams = await store.archives.tasks(
            build.id, ordinal, tasks, limits.MAX_PART_ITEMS
        )
        for part in parts(_definition(row, upstreams.get(row.id, [])) for row in rows):
            yield BuildArchivePart(tasks=BuildArchiveTasks(tasks=part))
        ordinal = rows[-1].ordinal
    events = 0
    indexes = {stream: index for index, stream in enumerate(streams)}
    async for event in _events(store, build, indexes):
        events += len(event.events)
        yield BuildArchivePart(events=event)
    assets = await store.archives.assets(workspace, id)
    for row in assets:
        yield BuildArchivePart(asset=asset_message(row))
        async for chunk in store.assets.content(row):
            yield BuildArchivePart(asset_chunk=chunk)
    end = BuildArchiveEnd(task_count=tasks, event_count=events, asset_count=len(assets))
    yield BuildArchivePart(end=end)


async def import_build(store: Store, workspace: int, file: BinaryIO) -> UUID:
    """Store the build of the archive in a file, all or none; return its id.

    Raises ArchiveInvalid, TaskIdMismatch, TaskConflict, BuildExists, QuotaExceeded.
    """
    now = (await store.info()).now
    # Hashes of all tasks and content: other callers are not to wait for that.
    checked = await asyncio.to_thread(_checked, file, now)
    await store.archives.store(workspace, checked, read_parts(file))
    return checked.build


def _checked(file: BinaryIO, now: int) -> ArchiveCheck:
    check = ArchiveCheck(now)
    for part in read_parts(file):
        check.take(part)
    check.finish()
    return check


async def _events(
    store: Store, build: AnyRow, indexes: dict[UUID, int]
) -> AsyncIterator[BuildArchiveEvents]:
    position = 0
    while rows := await store.queries.events(build.id, position, build.head, limits.MAX_PART_ITEMS):
        for part in parts(_archived(row, build.uuid, indexes) for row in rows):
            yield BuildArchiveEvents(events=part)
        position = rows[-1].position


def _definition(row: AnyRow, upstreams: list[UUID]) -> TaskDefinition:
    return TaskDefinition(
        task_id=str(row.uuid),
        namespace=row.namespace,
        name=row.name,
        version=row.version,
        identity_json=row.identity_json,
        params_json=row.params_json,
        dependency_ids=map(str, upstreams),
        output_uri=row.output_uri,
    )


def _archived(row: AnyRow, build: UUID, indexes: dict[UUID, int]) -> ArchivedEvent:
    return ArchivedEvent(
        event=restored(row, build),
        position=row.position,
        stream_index=indexes[row.stream_uuid],
        sequence=row.sequence,
        commit_time_us=row.commit_time,
        rejection=row.rejection,
        rejection_message=row.rejection_message,
    )
