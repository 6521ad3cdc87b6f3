"""The transaction of ingest: batches of many streams, in full or not at all."""

import functools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stardag.v1 import event_pb2 as pb
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain import limits
from stardag_server.domain.admission import Part, StreamState, admit
from stardag_server.domain.batch import Batch, Committed, leftover
from stardag_server.domain.build_fold import BuildFold
from stardag_server.domain.build_state import OPEN
from stardag_server.domain.event_check import DEFINING_TYPES, Rejection
from stardag_server.domain.refusals import BuildNotFound, Refusal
from stardag_server.domain.silence import inferred_death
from stardag_server.store.answering_stream import answering_stream
from stardag_server.store.build_rows import BuildRows
from stardag_server.store.bulk import Append, Bulk, Change, LogCommit, Row, Write
from stardag_server.store.database import clock_of
from stardag_server.store.fencing import newest_tokens
from stardag_server.store.schema import Build, Event, StrayEvent, Stream, plain
from stardag_server.store.silent_builds import streams_at_work
from stardag_server.store.task_keys import TaskKeys

EVENT_COLUMNS = (
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
_STREAM_COLUMNS = ("id", "watermark", "last_seen")
_STRAY_COLUMNS = (
    "stream_id",
    "sequence",
    "commit_time",
    "rejection",
    "rejection_message",
    "event",
)


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
        parts: list[Part] = []
        for batch in batches:
            outcomes.append(admit(batch, streams.get(batch.stream.uuid), parts))
        await self._fence(parts)
        writes = await self._fold_all(parts)
        if streams:
            rows = [(stream.key, stream.watermark, self.now) for stream in streams.values()]
            writes.insert(0, Change(Stream, _STREAM_COLUMNS, rows, key=("id",)))
        if writes:
            await self.bulk.write(self.connection, writes)
        for part in parts:
            part.report_rejections()
        return outcomes

    async def give_up(self, silent: sa.Select[*tuple[Any, ...]]) -> None:
        """Give up builds, with the death of all their producers as the server's own events.

        `silent` selects the clock, and of each build its id, the key of the stream
        that answers for it and when that was last heard. What another writer has
        locked is left out: that is alive, or being given up.
        """
        rows = (await self.connection.execute(silent.with_for_update(skip_locked=True))).all()
        others: dict[UUID, set[int]] = defaultdict(set)
        if rows:
            at_work = streams_at_work(self.workspace, [build for _, build, _, _ in rows])
            for build, stream in await self.connection.execute(at_work):
                others[build].add(stream)
        parts: list[Part] = []
        for now, build, stream, last_heard in rows:
            self.now = now
            death = inferred_death(build.bytes, last_heard)
            for each in (stream, *sorted(others[build] - {stream})):
                parts.append(Part(each, 0, [death], [None], Committed(0)))
        if writes := await self._fold_all(parts):
            await self.bulk.write(self.connection, writes)

    async def request_cancel(self, build: UUID, reason: str) -> None:
        """Ask a build to stop, by the server's own event; see Store.request_cancel."""
        query = (
            sa.select(
                clock_of(self.connection.dialect.name),
                Build.status,
                Build.cancel_time,
                answering_stream(),
            )
            .where(Build.workspace_id == self.workspace, Build.uuid == build)
            .with_for_update(of=Build)
        )
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            raise BuildNotFound(build)
        self.now, status, asked, stream = row
        if status not in OPEN or asked:
            return
        request = pb.NewEvent(
            build_id=build.bytes,
            type=pb.EVENT_TYPE_BUILD_CANCEL_REQUESTED,
            event_time_us=self.now,
            build_end=pb.BuildEnd(reason=reason),
        )
        part = Part(stream, 0, [request], [None], Committed(0))
        await self.bulk.write(self.connection, await self._fold_all([part]))

    async def _lock_streams(self, uuids: set[UUID]) -> dict[UUID, StreamState]:
        given = {"workspace": self.workspace, "streams": self.bulk.given(uuids)}
        query = _lock_streams(self.bulk, self.connection.dialect.name)
        streams: dict[UUID, StreamState] = {}
        for uuid, key, generation, watermark, seen in await self.connection.execute(query, given):
            streams[uuid] = StreamState(key, generation, watermark)
            self.now = max(self.now, seen)
        return streams

    async def _fence(self, parts: list[Part]) -> None:
        """Reject what was said under a lease that somebody else has had since."""
        leased = [
            (part, index)
            for part in parts
            for index, event in enumerate(part.events)
            if event.fencing_token and event.task_id and not part.rejections[index]
        ]
        if not leased:
            return
        tasks = {UUID(bytes=part.events[index].task_id) for part, index in leased}
        newest = await newest_tokens(self.connection, self.workspace, tasks)
        for part, index in leased:
            event = part.events[index]
            if event.fencing_token < newest.get(event.task_id, 0):
                part.rejections[index] = _FENCED

    async def _fold_all(self, parts: list[Part]) -> list[Write]:
        """Fold all parts under the locks of their builds, and return what stores them."""
        named: set[bytes] = set()
        sound: set[bytes] = set()
        for part in parts:
            for event, rejection in zip(part.events, part.rejections, strict=True):
                (named if rejection else sound).add(event.build_id)
        named = {build for build in named | sound if len(build) == 16}
        # What is rejected makes no build: neither by a malformed id nor by one never heard of.
        folds = await self.rows.lock(named, sound, self.now) if named else {}
        tasks, writes = await self._resolve_tasks(parts, folds)
        events: list[Row] = []
        strays: list[Row] = []
        before = {fold.build.key: fold.build.head for fold in folds.values()}
        for part in parts:
            self._fold(part, folds, tasks, events, strays)
        if events:
            writes.append(Append(Event, EVENT_COLUMNS, events))
            writes += self.rows.writes()
        if strays:
            writes.append(Append(StrayEvent, _STRAY_COLUMNS, strays))
        self.heads = {fold.build.key: fold.build.head for fold in folds.values()}
        moved = [(key, before[key] + 1, head) for key, head in self.heads.items()]
        if moved := [row for row in moved if row[1] <= row[2]]:
            writes.append(LogCommit(self.workspace, moved))
        return writes

    async def _resolve_tasks(
        self, parts: list[Part], folds: dict[bytes, BuildFold]
    ) -> tuple[TaskKeys, list[Write]]:
        """Make known all tasks that the events name, and load their states.

        Return also what is yet to be written of the tasks.
        """
        missing: dict[bytes, set[bytes]] = {build: set() for build in folds}
        definitions: dict[bytes, TaskDefinition] = {}
        defining: list[tuple[Part, int]] = []
        suspending: list[tuple[Part, int]] = []
        dying: set[bytes] = set()
        for part in parts:
            for index, event in enumerate(part.events):
                kind = event.type
                if kind == pb.EVENT_TYPE_PRODUCER_DIED:
                    dying.add(event.build_id)
                if part.rejections[index] or not (task := event.task_id):
                    continue
                build = event.build_id
                if task not in folds[build].tasks:
                    missing[build].add(task)
                if kind in DEFINING_TYPES and event.HasField("definition"):
                    definitions.setdefault(task, event.definition)
                    defining.append((part, index))
                elif kind == pb.EVENT_TYPE_TASK_SUSPENDED:
                    suspending.append((part, index))
        keys = TaskKeys(self.connection, self.bulk, self.workspace, self.now)
        yielded = await self._yielded(suspending, keys) if suspending else {}
        writes = await keys.resolve(
            {task for tasks in missing.values() for task in tasks}, definitions, yielded
        )
        for part, index in defining:
            event = part.events[index]
            if keys.contradicts(event.task_id, event.definition):
                part.rejections[index] = _CONFLICT
        await self.rows.load_states(
            {build: {task: keys[task] for task in tasks} for build, tasks in missing.items()},
            dying,
        )
        return keys, writes

    async def _yielded(
        self, suspending: list[tuple[Part, int]], keys: TaskKeys
    ) -> dict[bytes, set[bytes]]:
        """Return the dynamic dependencies to add, by task; reject what would be too many."""
        yielded: dict[bytes, set[bytes]] = {}
        known = await keys.dynamic({part.events[index].task_id for part, index in suspending})
        for part, index in suspending:
            event = part.events[index]
            task = event.task_id
            new = {UUID(upstream).bytes for upstream in event.wait.task_ids}
            all = known.get(task, set()) | new
            if len(all) > limits.MAX_IDS:
                part.rejections[index] = _TOO_MANY_YIELDED
                continue
            known[task] = all
            yielded.setdefault(task, set()).update(new)
        return yielded

    def _fold(
        self,
        part: Part,
        folds: dict[bytes, BuildFold],
        tasks: TaskKeys,
        rows: list[Row],
        strays: list[Row],
    ) -> None:
        """Fold the events of a part, and add the rows that are to be stored of them."""
        stream, now, rejections = part.stream, self.now, part.rejections
        for index, event in enumerate(part.events):
            sequence = part.first_sequence + index
            found = rejections[index]
            fold = folds.get(event.build_id)
            if fold is None:
                assert found  # what is sound has a build
                strays.append(_stray_row(event, found, stream, sequence, now))
                continue
            key: int | None = None
            task = event.task_id
            if task and (found is None or found in (_CONFLICT, _TOO_MANY_YIELDED)):
                state = fold.tasks.get(task)
                key = state.task if state else tasks[task]
            rejection = fold.apply(event, key or 0, stream, now, found)
            rejections[index] = rejection
            rows.append(
                (
                    fold.build.key,
                    fold.build.head,
                    now,
                    key,
                    stream,
                    sequence,
                    event.event_time_us,
                    event.monotonic_us,
                    event.attempt,
                    event.type,
                    rejection.reason if rejection else None,
                    plain(rejection.message) if rejection else None,
                    leftover(event, key is not None, taken=rejection is None),
                )
            )


@functools.cache
def _lock_streams(bulk: Bulk, dialect: str) -> sa.Select[*tuple[Any, ...]]:
    """Return the statement that locks streams and tells the time.

    Kept, as those of every commit are: to make one takes longer than to execute it.
    """
    columns = (Stream.uuid, Stream.id, Stream.generation, Stream.watermark, clock_of(dialect))
    return (
        sa.select(*columns)
        .where(
            Stream.workspace_id == sa.bindparam("workspace"),
            bulk.among_given(Stream.uuid, "streams"),
        )
        .order_by(Stream.uuid)
        .with_for_update()
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


def _stray_row(
    event: pb.NewEvent, rejection: Rejection, stream: int, sequence: int, now: int
) -> Row:
    return (
        stream,
        sequence,
        now,
        rejection.reason,
        plain(rejection.message),
        event.SerializeToString(),
    )
