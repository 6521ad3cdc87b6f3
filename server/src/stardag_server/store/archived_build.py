"""A build on its way from an archive into the database, within one transaction."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag.v1 import event_pb2 as pb
from stardag.v1.asset_pb2 import Asset as AssetMessage
from stardag.v1.build_archive_pb2 import ArchivedEvent, BuildArchivePart
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain.archive import is_defined
from stardag_server.domain.batch import leftover
from stardag_server.domain.build_fold import BuildFold
from stardag_server.domain.event_check import Rejection
from stardag_server.domain.refusals import ArchiveInvalid, TaskConflict
from stardag_server.store.assets import CHUNK_BYTES
from stardag_server.store.bulk import Append, Bulk, Row
from stardag_server.store.commit import EVENT_COLUMNS
from stardag_server.store.schema import Asset, AssetChunk, Event, plain
from stardag_server.store.task_keys import TaskKeys


@dataclass(slots=True)
class ArchivedBuild:
    """Writes the tasks, events and assets of parts that were checked, and folds the build.

    What was rejected stays rejected, for the reason it was; all else is folded as
    of the time when it was committed, so that the states are those they were.
    """

    connection: AsyncConnection
    bulk: Bulk
    workspace: int
    fold: BuildFold
    keys: TaskKeys
    streams: Sequence[int]
    """Keys of the streams, in the archive's order."""
    _tasks: set[bytes] = field(default_factory=set[bytes])
    _asset: AssetMessage | None = None
    _content: bytearray = field(default_factory=bytearray)

    async def take(self, parts: Iterable[BuildArchivePart]) -> None:
        """Write what is in the parts. Raises TaskConflict, ArchiveInvalid."""
        named: dict[bytes, TaskDefinition] = {}
        for number, part in enumerate(parts):
            match part.WhichOneof("part"):
                case "tasks":
                    named |= {UUID(task.task_id).bytes: task for task in part.tasks.tasks}
                case "events":
                    await self._define(named)
                    named = {}
                    await self._take_events(part.events.events, number)
                case "asset_chunk":
                    self._content += part.asset_chunk
                case "asset":
                    await self._end_asset()
                    self._asset = part.asset
                case _:
                    await self._end_asset()

    async def _define(self, named: dict[bytes, TaskDefinition]) -> None:
        """Write all tasks at once, as ingest does: locked in one order, and each once."""
        if not named:
            return
        defined = {id: task for id, task in named.items() if is_defined(task)}
        writes = await self.keys.resolve(named, defined, {})
        for id, definition in defined.items():
            if self.keys.contradicts(id, definition):
                raise TaskConflict(UUID(bytes=id))
        await self.bulk.write(self.connection, writes)
        self._tasks |= named.keys()

    async def _take_events(self, events: Sequence[ArchivedEvent], number: int) -> None:
        rows: list[Row] = []
        yielded: dict[bytes, set[bytes]] = {}
        for archived in events:
            event = archived.event
            rejection = self._apply(archived, number)
            if event.type == pb.EVENT_TYPE_TASK_SUSPENDED and not rejection:
                upstreams = (UUID(id).bytes for id in event.wait.task_ids)
                yielded.setdefault(event.task_id, set()).update(upstreams)
            rows.append(self._row(archived, rejection))
        writes = await self.keys.resolve((), {}, yielded) if any(yielded.values()) else []
        await self.bulk.write(self.connection, [Append(Event, EVENT_COLUMNS, rows), *writes])

    def _apply(self, archived: ArchivedEvent, number: int) -> Rejection | None:
        event = archived.event
        stored = (
            Rejection(archived.rejection, archived.rejection_message)
            if archived.rejection
            else None
        )
        key = self.keys[event.task_id] if event.task_id in self._tasks else 0
        stream = self.streams[archived.stream_index]
        rejection = self.fold.apply(event, key, stream, archived.commit_time_us, stored)
        if rejection and not stored:
            raise ArchiveInvalid(
                f"the event at position {archived.position} can't follow those before it:"
                f" {rejection.message}",
                number,
            )
        return rejection

    def _row(self, archived: ArchivedEvent, rejection: Rejection | None) -> Row:
        event = archived.event
        key = self.keys[event.task_id] if event.task_id in self._tasks else None
        return (
            self.fold.build.key,
            archived.position,
            archived.commit_time_us,
            key,
            self.streams[archived.stream_index],
            archived.sequence,
            event.event_time_us,
            event.monotonic_us,
            event.attempt,
            event.type,
            rejection.reason if rejection else None,
            plain(rejection.message) if rejection else None,
            leftover(event, key is not None, taken=rejection is None),
        )

    async def _end_asset(self) -> None:
        """Write the asset before this part, if there is one.

        It keeps the number of its revision, unless another content has that: then
        it gets the next one. If the same content has it, there is nothing to do.
        """
        asset, self._asset = self._asset, None
        content, self._content = bytes(self._content), bytearray()
        if asset is None:
            return
        task, digest = UUID(asset.task_id), hashlib.sha256(content).digest()
        same = (
            Asset.workspace_id == self.workspace,
            Asset.task_uuid == task,
            Asset.name == asset.name,
        )
        query = sa.select(Asset.revision, Asset.sha256).where(*same)
        known: dict[int, bytes] = {
            row.revision: row.sha256 for row in await self.connection.execute(query)
        }
        newest = max(known, default=0)
        revision = asset.revision
        if revision in known:
            if known[revision] == digest:
                return
            revision = newest + 1
        if revision > newest:
            await self.connection.execute(
                sa.update(Asset).where(*same, Asset.latest).values(latest=False)
            )
        values: dict[str, Any] = {
            "workspace_id": self.workspace,
            "task_uuid": task,
            "name": asset.name,
            "revision": revision,
            "latest": revision > newest,
            "kind": asset.kind,
            "media_type": asset.media_type,
            "description": asset.description,
            "size": len(content),
            "sha256": digest,
            "build_uuid": UUID(asset.build_id),
            "create_time": asset.create_time.ToMicroseconds(),
        }
        insert = sa.insert(Asset).values(values).returning(Asset.id)
        key = (await self.connection.execute(insert)).scalar_one()
        chunks = [
            {"asset_id": key, "ordinal": ordinal, "content": content[begin : begin + CHUNK_BYTES]}
            for ordinal, begin in enumerate(range(0, len(content), CHUNK_BYTES))
        ]
        await self.connection.execute(sa.insert(AssetChunk), chunks)
