"""The transaction of ingest: batches of many streams, in full or not at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag.v1 import event_pb2 as pb
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain import limits
from stardag_server.domain.batch import Batch, Committed, leftover
from stardag_server.domain.build_fold import BuildFold
from stardag_server.domain.event_check import DEFINING_TYPES, Rejection
from stardag_server.domain.refusals import Refusal, SequenceGap, StreamSuperseded
from stardag_server.domain.silence import inferred_death
from stardag_server.store.build_rows import BuildRows
from stardag_server.store.bulk import Bulk, Row
from stardag_server.store.database import clock
from stardag_server.store.fencing import newest_tokens
from stardag_server.store.schema import Event, StrayEvent, Stream, plain
from stardag_server.store.task_keys import TaskKeys

_EVENT_COLUMNS = (
    "build_id",
    "position",
    "commit_time",
    "task_id",
    "stream_id",
    "sequence",
    "event_time",
    "monotonic",
    "attempt",
    "type",
    "rejection",
    "rejection_message",
    "detail",
)
_STRAY_COLUMNS = (
    "stream_id",
    "sequence",
    "commit_time",
    "rejection",
    "rejection_message",
    "event",
)


@dataclass(slots=True)
class _Entry:
    """A new event on its way into the log."""

    event: pb.NewEvent
    stream: int
    sequence: int
    rejection: Rejection | None
    outcome: Committed


@dataclass(slots=True)
class _LockedStream:
    key: int
    generation: int
    watermark: int


@dataclass(slots=True)
class Commit:
    """One transaction that takes batches in.

    Locks are taken in one order by every writer (streams, builds, tasks; each
    by id), so that writers who meet wait for each other and never in a circle.
    The instance serves one transaction of one workspace.
    """

    connection: AsyncConnection
    bulk: Bulk
    workspace: int
    rows: BuildRows
    now: int = 0
    heads: dict[int, int] = field(default_factory=dict[int, int])
    """After `run`: the new head of each build that was written to, by key."""

    async def run(self, batches: Sequence[Batch]) -> list[Committed | Refusal]:
        """Store what is new of the batches; return what became of each, in their order."""
        streams = await self._lock_streams({batch.stream.uuid for batch in batches})
        outcomes: list[Committed | Refusal] = []
        entries: list[_Entry] = []
        for batch in batches:
            outcomes.append(_admit(batch, streams.get(batch.stream.uuid), entries))
        await self._fence(entries)
        await self._store(entries)
        for entry in entries:
            if entry.rejection:
                entry.outcome.rejections.append(
                    pb.EventRejection(
                        sequence=entry.sequence,
                        reason=entry.rejection.reason,
                        message=entry.rejection.message,
                    )
                )
        await self._advance_streams(streams.values())
        return outcomes

    async def give_up(self, silent: sa.Select[*tuple[Any, ...]]) -> None:
        """Give up builds, with the death of their producers as the server's own events.

        `silent` selects the clock, and of each build its id, its owner's key and
        when that was last heard. What another writer has locked is left out: that
        is alive, or being given up.
        """
        entries: list[_Entry] = []
        rows = await self.connection.execute(silent.with_for_update(skip_locked=True))
        for now, build, owner, last_heard in rows:
            self.now = now
            death = inferred_death(build.bytes, last_heard)
            entries.append(_Entry(death, owner, 0, None, Committed(0)))
        await self._store(entries)

    async def _lock_streams(self, uuids: set[UUID]) -> dict[UUID, _LockedStream]:
        now = clock(self.connection)
        query = (
            sa.select(Stream.uuid, Stream.id, Stream.generation, Stream.watermark, now)
            .where(Stream.workspace_id == self.workspace, self.bulk.among(Stream.uuid, [*uuids]))
            .order_by(Stream.uuid)
            .with_for_update()
        )
        streams: dict[UUID, _LockedStream] = {}
        for uuid, key, generation, watermark, seen in await self.connection.execute(query):
            streams[uuid] = _LockedStream(key, generation, watermark)
            self.now = max(self.now, seen)
        return streams

    async def _fence(self, entries: list[_Entry]) -> None:
        """Reject what was said under a lease that somebody else has had since."""
        leased = [entry for entry in entries if entry.event.fencing_token and not entry.rejection]
        if not leased:
            return
        tasks = {UUID(bytes=entry.event.task_id) for entry in leased if entry.event.task_id}
        newest = await newest_tokens(self.connection, self.workspace, tasks)
        for entry in leased:
            if entry.event.fencing_token < newest.get(entry.event.task_id, 0):
                entry.rejection = _FENCED

    async def _store(self, entries: list[_Entry]) -> None:
        by_build: dict[bytes, list[_Entry]] = {}
        for entry in entries:
            by_build.setdefault(entry.event.build_id, []).append(entry)
        # What is rejected makes no build: neither by a malformed id nor by one never heard of.
        sound = {entry.event.build_id for entry in entries if entry.rejection is None}
        named = [build for build in by_build if len(build) == 16]
        folds = await self.rows.lock(named, sound, self.now) if named else {}
        strays = [entry for entry in entries if entry.event.build_id not in folds]
        if folds:
            await self._log({build: by_build[build] for build in by_build if build in folds}, folds)
        if strays:
            rows = [self._stray_row(entry) for entry in strays]
            await self.bulk.append(self.connection, StrayEvent, _STRAY_COLUMNS, rows)

    async def _log(
        self, by_build: dict[bytes, list[_Entry]], folds: dict[bytes, BuildFold]
    ) -> None:
        tasks = await self._resolve_tasks(by_build, folds)
        rows: list[Row] = []
        for build, entries in by_build.items():
            for entry in entries:
                rows.append(self._fold(entry, folds[build], tasks))
            self.heads[folds[build].build.key] = folds[build].build.head
        await self.bulk.append(self.connection, Event, _EVENT_COLUMNS, rows)
        await self.rows.save()

    async def _resolve_tasks(
        self, by_build: dict[bytes, list[_Entry]], folds: dict[bytes, BuildFold]
    ) -> TaskKeys:
        """Make known all tasks that the events name, and load their states."""
        missing: dict[bytes, set[bytes]] = {build: set() for build in by_build}
        definitions: dict[bytes, TaskDefinition] = {}
        defining: list[_Entry] = []
        suspending: list[_Entry] = []
        dying: set[bytes] = set()
        for build, entries in by_build.items():
            states = folds[build].tasks
            for entry in entries:
                event = entry.event
                kind = event.type
                if kind == pb.EVENT_TYPE_PRODUCER_DIED:
                    dying.add(build)
                if entry.rejection or not (task := event.task_id):
                    continue
                if task not in states:
                    missing[build].add(task)
                if kind in DEFINING_TYPES and event.HasField("definition"):
                    definitions.setdefault(task, event.definition)
                    defining.append(entry)
                elif kind == pb.EVENT_TYPE_TASK_SUSPENDED:
                    suspending.append(entry)
        keys = TaskKeys(self.connection, self.bulk, self.workspace, self.now)
        yielded = await self._yielded(suspending, keys) if suspending else {}
        await keys.resolve(
            {task for tasks in missing.values() for task in tasks}, definitions, yielded
        )
        for entry in defining:
            if keys[entry.event.task_id].contradicts(entry.event.definition):
                entry.rejection = _CONFLICT
        await self.rows.load_states(
            {build: {task: keys[task].key for task in tasks} for build, tasks in missing.items()},
            dying,
        )
        return keys

    async def _yielded(self, suspending: list[_Entry], keys: TaskKeys) -> dict[bytes, set[bytes]]:
        """Return the dynamic dependencies to add, by task; reject what would be too many."""
        yielded: dict[bytes, set[bytes]] = {}
        known = await keys.dynamic({entry.event.task_id for entry in suspending})
        for entry in suspending:
            task = entry.event.task_id
            new = {UUID(upstream).bytes for upstream in entry.event.wait.task_ids}
            all = known.get(task, set()) | new
            if len(all) > limits.MAX_IDS:
                entry.rejection = _TOO_MANY_YIELDED
                continue
            known[task] = all
            yielded.setdefault(task, set()).update(new)
        return yielded

    def _fold(self, entry: _Entry, fold: BuildFold, tasks: TaskKeys) -> Row:
        """Fold the event, and return its row."""
        event = entry.event
        judged = entry.rejection in (None, _CONFLICT, _TOO_MANY_YIELDED)
        key: int | None = None
        if judged and event.task_id:
            state = fold.tasks.get(event.task_id)
            key = state.task if state else tasks[event.task_id].key
        rejection = fold.apply(event, key or 0, entry.stream, self.now, entry.rejection)
        entry.rejection = rejection
        return (
            fold.build.key,
            fold.build.head,
            self.now,
            key,
            entry.stream,
            entry.sequence,
            event.event_time_us,
            event.monotonic_us,
            event.attempt,
            event.type,
            rejection.reason if rejection else None,
            plain(rejection.message) if rejection else None,
            leftover(event, key is not None),
        )

    def _stray_row(self, entry: _Entry) -> Row:
        assert entry.rejection  # what is sound has a build
        return (
            entry.stream,
            entry.sequence,
            self.now,
            entry.rejection.reason,
            plain(entry.rejection.message),
            entry.event.SerializeToString(),
        )

    async def _advance_streams(self, streams: Iterable[_LockedStream]) -> None:
        await self.connection.execute(
            sa.update(Stream)
            .where(Stream.id == sa.bindparam("key"))
            .values(watermark=sa.bindparam("to"), last_seen=self.now),
            [{"key": stream.key, "to": stream.watermark} for stream in streams],
        )


_CONFLICT = Rejection(
    pb.EVENT_REJECTION_REASON_TASK_CONFLICT,
    "the task is known with another namespace, name or version",
)

_FENCED = Rejection(pb.EVENT_REJECTION_REASON_FENCED, "another has had the lease of the task since")

_TOO_MANY_YIELDED = Rejection(
    pb.EVENT_REJECTION_REASON_EVENT_INVALID,
    f"the task has waited for more than {limits.MAX_IDS} tasks by then",
)


def _admit(
    batch: Batch, stream: _LockedStream | None, entries: list[_Entry]
) -> Committed | Refusal:
    """Add what is new of the batch to the entries, and advance its stream."""
    if stream is None or batch.stream.generation != stream.generation:
        return StreamSuperseded(batch.stream.uuid)
    try:
        old = batch.already_committed(stream.watermark)
    except SequenceGap as gap:
        return gap
    last = batch.last_committed(stream.watermark)
    outcome = Committed(last)
    key, first = stream.key, batch.first_sequence
    for index in range(old, len(batch.events)):
        event, rejection = batch.events[index], batch.rejections[index]
        entries.append(_Entry(event, key, first + index, rejection, outcome))
    stream.watermark = last
    return outcome
