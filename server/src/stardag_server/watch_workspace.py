"""Following all events of a workspace that match a filter, in the order of commits."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from stardag.v1.event_pb2 import Event
from stardag.v1.event_service_pb2 import WatchEventsRequest, WatchEventsResponse
from stardag_server.domain import limits
from stardag_server.domain.filter_fields import WATCHED_EVENT_FIELDS
from stardag_server.domain.filters import Condition, parse
from stardag_server.domain.opaque import seal, unseal
from stardag_server.domain.pages import parts
from stardag_server.domain.refusals import CursorExpired, CursorInvalid, ServerDraining
from stardag_server.domain.watches import heartbeat_seconds
from stardag_server.news import News
from stardag_server.services.messages import event_message, now
from stardag_server.store.queries import AnyRow
from stardag_server.store.workspace_log import LogPlace, WorkspaceLogs

_COMMITS_AT_ONCE = 100
"""Commits in which events are looked for by one query, however few match."""


class WorkspaceWatching:
    """All watches of workspaces in this process."""

    def __init__(self, logs: WorkspaceLogs, news: News) -> None:
        self._logs = logs
        self._news = news
        self._draining = False

    def drain(self) -> None:
        """End all watches; begin none any more."""
        self._draining = True
        self._news.stir()

    async def watch(
        self, workspace: int, request: WatchEventsRequest
    ) -> AsyncGenerator[WatchEventsResponse]:
        """Serve one watch; it does not end by itself."""
        condition = parse(request.filter, WATCHED_EVENT_FIELDS)
        heartbeat = heartbeat_seconds(request.heartbeat_interval)
        binding = b"\0".join((b"watch all", str(workspace).encode(), request.filter.encode()))
        head, _ = await self._logs.head(workspace)
        place = _parse(binding, request.cursor, head) if request.cursor else LogPlace(head + 1)
        with self._news.follow(workspace):
            yield _response(binding, place)
            while True:
                self._check_draining()
                moved = self._news.next()
                head, trimmed = await self._logs.head(workspace)
                if place.number <= trimmed:
                    raise CursorExpired
                while place.number <= head:
                    until = min(head, place.number + _COMMITS_AT_ONCE - 1)
                    rows = await self._read(workspace, place, until, condition)
                    sent = 0
                    for page in parts(event_message(row, str(row.build_uuid)) for row in rows):
                        self._check_draining()
                        sent += len(page)
                        last = rows[sent - 1]
                        place = LogPlace(last.number, last.build_key, last.position)
                        yield _response(binding, place, page)
                    if len(rows) < limits.MAX_PART_ITEMS:
                        place = LogPlace(until + 1)
                if not await _within(heartbeat, moved):
                    yield _response(binding, place, heartbeat=True)

    async def _read(
        self, workspace: int, place: LogPlace, until: int, condition: Condition | None
    ) -> Sequence[AnyRow]:
        return await self._logs.events(workspace, place, until, limits.MAX_PART_ITEMS, condition)

    def _check_draining(self) -> None:
        if self._draining:
            raise ServerDraining


def _parse(binding: bytes, cursor: str, head: int) -> LogPlace:
    try:
        place = LogPlace(*unseal(binding, cursor, 3))
    except ValueError:
        raise CursorInvalid from None
    if place.number > head + 1:
        raise CursorInvalid
    return place


def _response(
    binding: bytes, place: LogPlace, events: Sequence[Event] = (), heartbeat: bool = False
) -> WatchEventsResponse:
    return WatchEventsResponse(
        cursor=seal(binding, (place.number, place.build, place.position)),
        events=events,
        heartbeat=heartbeat,
        server_time=now(),
    )


async def _within(seconds: float, moved: asyncio.Event) -> bool:
    """Wait until it moved; return False if it has not after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await moved.wait()
    except TimeoutError:
        return False
    return True
