"""Following a build: its state or its events as of now, then every change."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
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
from stardag_server.domain.refusals import CursorExpired, CursorInvalid, RequestInvalid
from stardag_server.domain.watches import heartbeat_seconds
from stardag_server.feeds import Feeds, Step
from stardag_server.heads import Heads
from stardag_server.services.messages import (
    build_message,
    event_message,
    now,
    task_state_message,
)
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
    ordinal: int = _FOLLOWING


class Watching:
    """All watches of builds in this process."""

    def __init__(self, queries: Queries, heads: Heads) -> None:
        self._queries = queries
        self._feeds = Feeds[int](heads, covered=lambda position: position)

    def drain(self) -> None:
        """End all watches; begin none any more."""
        self._feeds.close()

    async def watch(self, workspace: int, request: WatchBuildRequest) -> AsyncGenerator[bytes]:
        """Serve one watch until the build has ended and all of it is delivered.

        Yields encoded responses.
        """
        id = parse_id("build_id", request.build_id)
        if request.mode not in (WATCH_MODE_UNSPECIFIED, WATCH_MODE_STATE, WATCH_MODE_EVENTS):
            raise RequestInvalid.of("mode", "is not a mode of this version")
        heartbeat = heartbeat_seconds(request.heartbeat_interval)
        build = await self._queries.build(workspace, id)
        view = _View(self._queries, workspace, id, request.mode == WATCH_MODE_EVENTS)
        place = view.place(build, request.cursor)
        if place.ordinal != _FOLLOWING:
            async for response in view.snapshot(build, place):
                self._feeds.check_open()
                yield response
            opening = Step((), place.position, _ended_at(build, place.position))
        else:
            opening = await view.step(place.position, opening=True)
            for response in opening.responses:
                yield response
        if opening.last:
            return
        async with (
            self._feeds.follow(build.id, view.events, build.head, view.step) as feed,
            contextlib.aclosing(
                feed.responses(opening.place, heartbeat, view.heartbeat)
            ) as responses,
        ):
            async for response in responses:
                yield response


class _View:
    """One build as watchers in one mode see it: responses, encoded, that are the same for all."""

    def __init__(self, queries: Queries, workspace: int, build: UUID, events: bool) -> None:
        self.events = events
        self._queries = queries
        self._workspace = workspace
        self._build = build
        self._id = str(build)
        self._binding = b"watch\0" + build.bytes + (b"events" if events else b"state")

    def place(self, build: AnyRow, cursor: str) -> _Place:
        """Return where a watch begins. Raises CursorInvalid."""
        if not cursor:
            return _Place(build.trimmed) if self.events else _Place(build.head, 0)
        try:
            place = _Place(*unseal(self._binding, cursor, 2))
        except ValueError:
            raise CursorInvalid from None
        if place.position > build.head:
            raise CursorInvalid
        return place

    async def snapshot(self, build: AnyRow, place: _Place) -> AsyncIterator[bytes]:
        """Yield what is left of the snapshot from a place on.

        States may be newer than the position where the snapshot began; what
        changed since is delivered again after it.
        """
        shown: AnyRow | None = build
        while place.ordinal != _FOLLOWING:
            rows = await self._queries.task_states(build.id, place.ordinal, limits.MAX_PART_ITEMS)
            pages = [*parts(task_state_message(row, self._id) for row in rows)]
            sent = 0
            for page in pages or [[]]:
                sent += len(page)
                complete = sent == len(rows) < limits.MAX_PART_ITEMS
                ordinal = _FOLLOWING if complete else rows[sent - 1].ordinal
                place = _Place(place.position, ordinal)
                yield self.response(place, shown, task_states=page, snapshot_complete=complete)
                shown = None

    async def step(self, position: int, opening: bool = False) -> Step[int]:
        """Return what follows a position.

        The build is in its first response if it comes to the end of the log, or is the `opening`
        of a watch.
        """
        build = await self._queries.build(self._workspace, self._build)
        if position >= build.head:
            responses = [self.response(_Place(position), build)] if opening else []
            return Step(responses, position, _ended_at(build, position))
        read = self._new_events if self.events else self._new_states
        return await read(build, position, opening)

    def heartbeat(self, position: int) -> bytes:
        """Return a response that only says that the watch is alive."""
        return WatchBuildResponse(
            cursor=self._cursor(_Place(position)), heartbeat=True, server_time=now()
        ).SerializeToString()

    async def _new_events(self, build: AnyRow, position: int, opening: bool) -> Step[int]:
        rows = await self._queries.events(build.id, position, build.head, limits.MAX_PART_ITEMS)
        if not rows or rows[0].position != position + 1:
            raise CursorExpired
        until: int = rows[-1].position
        shown = build if opening or until == build.head else None
        responses: list[bytes] = []
        for page in parts(event_message(row, self._id) for row in rows):
            responses.append(self.response(_Place(page[-1].position), shown, events=page))
            shown = None
        return Step(responses, until, _ended_at(build, until))

    async def _new_states(self, build: AnyRow, position: int, opening: bool) -> Step[int]:
        until = min(build.head, position + _MERGED_EVENTS)
        rows = await self._queries.changed_task_states(build.id, position, until)
        shown = build if opening or until == build.head else None
        *before, last = [*parts(task_state_message(row, self._id) for row in rows)] or [[]]
        responses: list[bytes] = []
        # Only with the last page everything up to there is delivered.
        for page in before:
            responses.append(self.response(_Place(position), shown, task_states=page))
            shown = None
        responses.append(self.response(_Place(until), shown, task_states=last))
        return Step(responses, until, _ended_at(build, until))

    def response(
        self,
        place: _Place,
        build: AnyRow | None = None,
        task_states: Sequence[TaskState] = (),
        events: Sequence[Event] = (),
        snapshot_complete: bool = False,
    ) -> bytes:
        """Return a response that leads to a place."""
        return WatchBuildResponse(
            cursor=self._cursor(place),
            build=build_message(build, build.root_task_ids) if build else None,
            task_states=task_states,
            events=events,
            snapshot_complete=snapshot_complete,
            server_time=now(),
        ).SerializeToString()

    def _cursor(self, place: _Place) -> str:
        return seal(self._binding, (place.position, place.ordinal))


def _ended_at(build: AnyRow, position: int) -> bool:
    return position == build.head and build.status != BUILD_STATUS_RUNNING
