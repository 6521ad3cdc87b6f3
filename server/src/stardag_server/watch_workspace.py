"""Following all events of a workspace that match a filter, in the order of commits."""

import contextlib
from collections.abc import AsyncGenerator, Sequence

from stardag.v1.event_pb2 import Event
from stardag.v1.event_service_pb2 import WatchEventsRequest, WatchEventsResponse
from stardag_server.domain import limits
from stardag_server.domain.filter_fields import WATCHED_EVENT_FIELDS
from stardag_server.domain.filters import parse
from stardag_server.domain.opaque import seal, unseal
from stardag_server.domain.pages import parts
from stardag_server.domain.refusals import CursorExpired, CursorInvalid
from stardag_server.domain.watches import heartbeat_seconds
from stardag_server.feeds import Feeds, Step
from stardag_server.heads import Heads
from stardag_server.services.messages import event_message, now
from stardag_server.store.workspace_log import LogPlace, WorkspaceLogs

_COMMITS_AT_ONCE = 100
"""Commits in which events are looked for by one query, however few match."""


class WorkspaceWatching:
    """All watches of workspaces in this process."""

    def __init__(self, logs: WorkspaceLogs, heads: Heads) -> None:
        self._logs = logs
        self._feeds = Feeds[LogPlace](heads, covered=lambda place: place.number - 1)

    def drain(self) -> None:
        """End all watches; begin none any more."""
        self._feeds.close()

    async def watch(self, workspace: int, request: WatchEventsRequest) -> AsyncGenerator[bytes]:
        """Serve one watch; it does not end by itself. Yields encoded responses."""
        heartbeat = heartbeat_seconds(request.heartbeat_interval)
        view = _View(self._logs, workspace, request.filter)
        head, _ = await self._logs.head(workspace)
        place = view.place(head, request.cursor)
        yield view.response(place)
        async with (
            self._feeds.follow(workspace, request.filter, LogPlace(head + 1), view.step) as feed,
            contextlib.aclosing(feed.responses(place, heartbeat, view.heartbeat)) as responses,
        ):
            async for response in responses:
                yield response


class _View:
    """A workspace as watchers with one filter see it: responses, encoded, the same for all."""

    def __init__(self, logs: WorkspaceLogs, workspace: int, filter: str) -> None:
        self._logs = logs
        self._workspace = workspace
        self._condition = parse(filter, WATCHED_EVENT_FIELDS)
        self._binding = b"\0".join((b"watch all", str(workspace).encode(), filter.encode()))

    def place(self, head: int, cursor: str) -> LogPlace:
        """Return where a watch begins. Raises CursorInvalid."""
        if not cursor:
            return LogPlace(head + 1)
        try:
            place = LogPlace(*unseal(self._binding, cursor, 3))
        except ValueError:
            raise CursorInvalid from None
        if place.number > head + 1:
            raise CursorInvalid
        return place

    async def step(self, place: LogPlace) -> Step[LogPlace]:
        """Return what follows a place."""
        head, trimmed = await self._logs.head(self._workspace)
        if place.number <= trimmed:
            raise CursorExpired
        if place.number > head:
            return Step((), place)
        until = min(head, place.number + _COMMITS_AT_ONCE - 1)
        rows = await self._logs.events(
            self._workspace, place, until, limits.MAX_PART_ITEMS, self._condition
        )
        responses: list[bytes] = []
        sent = 0
        for page in parts(event_message(row, str(row.build_uuid)) for row in rows):
            sent += len(page)
            last = rows[sent - 1]
            place = LogPlace(last.number, last.build_key, last.position)
            responses.append(self.response(place, page))
        if len(rows) < limits.MAX_PART_ITEMS:
            place = LogPlace(until + 1)
        return Step(responses, place)

    def heartbeat(self, place: LogPlace) -> bytes:
        """Return a response that only says that the watch is alive."""
        return self.response(place, heartbeat=True)

    def response(
        self, place: LogPlace, events: Sequence[Event] = (), heartbeat: bool = False
    ) -> bytes:
        """Return a response that leads to a place."""
        return WatchEventsResponse(
            cursor=seal(self._binding, (place.number, place.build, place.position)),
            events=events,
            heartbeat=heartbeat,
            server_time=now(),
        ).SerializeToString()
