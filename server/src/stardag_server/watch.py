"""Following a build: its state or its events as of now, then every change.

A watcher reads what is committed after its place, and sleeps while there is
nothing. What wakes it says only that there may be something to read, so a
wake-up that is lost costs time and nothing else.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

from stardag.v1.build_pb2 import BUILD_STATUS_RUNNING
from stardag.v1.event_pb2 import Event
from stardag.v1.event_service_pb2 import (
    WATCH_MODE_EVENTS,
    WATCH_MODE_STATE,
    WATCH_MODE_UNSPECIFIED,
    WatchBuildRequest,
    WatchBuildResponse,
)
from stardag.v1.task_pb2 import TaskState
from stardag_server.domain import limits
from stardag_server.domain.ids import parse_id
from stardag_server.domain.opaque import seal, unseal
from stardag_server.domain.pages import parts
from stardag_server.domain.refusals import (
    CursorExpired,
    CursorInvalid,
    RequestInvalid,
    ServerDraining,
)
from stardag_server.domain.watches import heartbeat_seconds
from stardag_server.heads import Heads
from stardag_server.services.messages import (
    build_message,
    event_message,
    now,
    task_state_message,
)
from stardag_server.shared_reads import SharedReads
from stardag_server.store.queries import AnyRow, Queries

_MERGED_EVENTS = 5_000
"""Most events whose changes of state are read at once."""
_FOLLOWING = -1


@dataclass(frozen=True, slots=True)
class _Place:
    """What a watcher has received: everything up to a position of the log.

    `ordinal` is that of the last task received while the snapshot is under
    way, and _FOLLOWING after it.
    """

    position: int
    ordinal: int


class Watching:
    """All watches of this process."""

    def __init__(self, queries: Queries, heads: Heads) -> None:
        self._queries = queries
        self._heads = heads
        self._reads = SharedReads()
        self._draining = False

    def drain(self) -> None:
        """End all watches; begin none any more."""
        self._draining = True
        self._heads.close()

    async def watch(
        self, workspace: int, request: WatchBuildRequest
    ) -> AsyncGenerator[WatchBuildResponse]:
        """Serve one watch until the build has ended and all of it is delivered."""
        id = parse_id("build_id", request.build_id)
        if request.mode not in (WATCH_MODE_UNSPECIFIED, WATCH_MODE_STATE, WATCH_MODE_EVENTS):
            raise RequestInvalid.of("mode", "is not a mode of this version")
        heartbeat = heartbeat_seconds(request.heartbeat_interval)
        build = await self._queries.build(workspace, id)
        watch = _Watch(
            self._queries, self._reads, build, request.mode == WATCH_MODE_EVENTS, request.cursor
        )
        with self._heads.follow(build.id, build.head):
            async for response in watch.snapshot(build):
                self._check_draining()
                yield response
            while True:
                self._check_draining()
                # It may be older than what woke us, then there is no waiting below; or than
                # what was delivered.
                build = await self._reads.get(
                    (workspace, id), lambda: self._queries.build(workspace, id)
                )
                if build.head < watch.position:
                    continue
                async for response in watch.changes(build):
                    yield response
                if build.status != BUILD_STATUS_RUNNING:
                    return
                if not await self._heads.move_beyond(build.id, watch.position, heartbeat):
                    yield watch.heartbeat()

    def _check_draining(self) -> None:
        if self._draining:
            raise ServerDraining


class _Watch:
    """One watcher's place in one build, and the responses that move it."""

    def __init__(
        self, queries: Queries, reads: SharedReads, build: AnyRow, events: bool, cursor: str
    ) -> None:
        self._queries = queries
        self._reads = reads
        self._key: int = build.id
        self._id = str(build.uuid)
        self._events = events
        self._binding = b"watch\0" + UUID(self._id).bytes + (b"events" if events else b"state")
        self._sent_head = 0
        if cursor:
            self._place = self._parse(cursor, build.head)
        elif events:
            self._place = _Place(build.trimmed, _FOLLOWING)
        else:
            self._place = _Place(build.head, 0)

    @property
    def position(self) -> int:
        """Position up to which everything is delivered."""
        return self._place.position

    async def snapshot(self, build: AnyRow) -> AsyncIterator[WatchBuildResponse]:
        """Yield what is left of the snapshot.

        States may be newer than the position where the snapshot began; what
        changed since is delivered again after it.
        """
        while self._place.ordinal != _FOLLOWING:
            rows = await self._queries.task_states(
                self._key, self._place.ordinal, limits.MAX_PART_ITEMS
            )
            pages = [*parts(task_state_message(row, self._id) for row in rows)]
            sent = 0
            for page in pages or [[]]:
                sent += len(page)
                complete = sent == len(rows) < limits.MAX_PART_ITEMS
                ordinal = _FOLLOWING if complete else rows[sent - 1].ordinal
                self._place = replace(self._place, ordinal=ordinal)
                yield self._response(build, task_states=page, snapshot_complete=complete)

    async def changes(self, build: AnyRow) -> AsyncIterator[WatchBuildResponse]:
        """Yield everything up to the head of this build, and the build if it is news."""
        while self._place.position < build.head:
            news = self._new_events(build) if self._events else self._new_states(build)
            async for response in news:
                yield response
        if build.head > self._sent_head:
            yield self._response(build)

    def heartbeat(self) -> WatchBuildResponse:
        """Return a response that only says that the watch is alive."""
        return WatchBuildResponse(cursor=self._cursor(), heartbeat=True, server_time=now())

    async def _new_events(self, build: AnyRow) -> AsyncIterator[WatchBuildResponse]:
        wanted = (self._key, self._place.position, build.head, limits.MAX_PART_ITEMS)
        rows = await self._reads.get(("events", *wanted), lambda: self._queries.events(*wanted))
        if not rows or rows[0].position != self._place.position + 1:
            raise CursorExpired
        pages = [*parts(event_message(row, self._id) for row in rows)]
        for page in pages:
            self._place = _Place(page[-1].position, _FOLLOWING)
            yield self._response(build, events=page)

    async def _new_states(self, build: AnyRow) -> AsyncIterator[WatchBuildResponse]:
        until = min(build.head, self._place.position + _MERGED_EVENTS)
        wanted = (self._key, self._place.position, until)
        rows = await self._reads.get(
            ("states", *wanted), lambda: self._queries.changed_task_states(*wanted)
        )
        pages = [*parts(task_state_message(row, self._id) for row in rows)]
        for number, page in enumerate(pages, 1):
            # Only with the last page everything up to there is delivered.
            if number == len(pages):
                self._place = _Place(until, _FOLLOWING)
            yield self._response(build, task_states=page)
        self._place = _Place(until, _FOLLOWING)

    def _response(
        self,
        build: AnyRow,
        task_states: list[TaskState] | None = None,
        events: list[Event] | None = None,
        snapshot_complete: bool = False,
    ) -> WatchBuildResponse:
        news = build.head > self._sent_head
        self._sent_head = max(build.head, self._sent_head)
        return WatchBuildResponse(
            cursor=self._cursor(),
            build=build_message(build, build.root_task_ids) if news else None,
            task_states=task_states or (),
            events=events or (),
            snapshot_complete=snapshot_complete,
            server_time=now(),
        )

    def _cursor(self) -> str:
        return seal(self._binding, (self._place.position, self._place.ordinal))

    def _parse(self, cursor: str, head: int) -> _Place:
        try:
            place = _Place(*unseal(self._binding, cursor, 2))
        except ValueError:
            raise CursorInvalid from None
        if place.position > head:
            raise CursorInvalid
        return place
