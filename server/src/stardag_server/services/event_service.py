"""stardag.v1.EventService."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from operator import attrgetter

from stardag.v1.event_pb2 import Event
from stardag.v1.event_service_pb2 import (
    ListEventsRequest,
    ListEventsResponse,
    ListRejectedEventsRequest,
    ListRejectedEventsResponse,
    PublishEventBatchRequest,
    PublishEventBatchResponse,
    PublishEventsRequest,
    PublishEventsResponse,
    WatchBuildRequest,
    WatchEventsRequest,
)
from stardag_server.auth.principal import caller
from stardag_server.domain.filter_fields import EVENT_FIELDS
from stardag_server.domain.filters import parse
from stardag_server.domain.ids import parse_id
from stardag_server.domain.ordering import parse_order
from stardag_server.domain.pages import Paging, PlaceTokens, page_size, parts
from stardag_server.publishing import Publishing
from stardag_server.services.messages import event_message, stray_event_message
from stardag_server.store.listing import EVENT_ORDERS
from stardag_server.store.queries import AnyRow
from stardag_server.store.rejected_events import is_stray
from stardag_server.store.store import Store
from stardag_server.usage import Usage
from stardag_server.watch import Watching
from stardag_server.watch_workspace import WorkspaceWatching

_DEFAULT_EVENTS = 100


class EventService:
    """Events in and events out. The contract is in the proto file."""

    def __init__(
        self,
        store: Store,
        publishing: Publishing,
        watching: Watching,
        watching_all: WorkspaceWatching,
        usage: Usage,
    ) -> None:
        self._store = store
        self._publishing = publishing
        self._watching = watching
        self._watching_all = watching_all
        self._usage = usage

    def publish_events(
        self, requests: AsyncIterator[PublishEventsRequest]
    ) -> AsyncIterator[PublishEventsResponse]:
        """Publish the events of one stream."""
        return self._publishing.stream(caller().workspace, requests)

    async def publish_event_batch(
        self, request: PublishEventBatchRequest
    ) -> PublishEventBatchResponse:
        """Publish one batch."""
        return await self._publishing.batch(caller().workspace, request)

    async def watch_build(self, request: WatchBuildRequest) -> AsyncGenerator[bytes]:
        """Follow one build; yields encoded responses."""
        workspace = caller().workspace
        with self._usage.watch(workspace):
            async with contextlib.aclosing(self._watching.watch(workspace, request)) as responses:
                async for response in responses:
                    yield response

    async def watch_events(self, request: WatchEventsRequest) -> AsyncGenerator[bytes]:
        """Follow the events of the workspace that match a filter; yields encoded responses."""
        workspace = caller().workspace
        with self._usage.watch(workspace):
            responses = self._watching_all.watch(workspace, request)
            async with contextlib.aclosing(responses):
                async for response in responses:
                    yield response

    async def list_events(self, request: ListEventsRequest) -> ListEventsResponse:
        """List the events of one build."""
        asked = Paging(request, _DEFAULT_EVENTS)
        condition = parse(request.filter, EVENT_FIELDS)
        order = parse_order(request.order_by, EVENT_ORDERS)
        build = parse_id("build_id", request.build_id)
        found = await self._store.queries.build(caller().workspace, build)
        rows = await self._store.listing.events(
            found.id, asked.after, asked.limit, condition=condition, order=order
        )
        message = partial(event_message, build_id=str(build))
        events, token = asked.page(rows, message, attrgetter("position"))
        return ListEventsResponse(events=events, next_page_token=token)

    async def list_rejected_events(
        self, request: ListRejectedEventsRequest
    ) -> ListRejectedEventsResponse:
        """List the events of the workspace that were stored without being applied."""
        size = page_size(request.page_size, _DEFAULT_EVENTS)
        tokens = PlaceTokens(request, 4)
        stream = parse_id("stream_id", request.stream_id) if request.stream_id else None
        after = tokens.parse(request.page_token)
        found = await self._store.rejected.page(caller().workspace, after, size + 1, stream)
        messages = (_rejected_message(row) for _, row in found[:size])
        events = next(parts(messages), list[Event]())
        more = len(events) < len(found)
        return ListRejectedEventsResponse(
            events=events,
            next_page_token=tokens.make(found[len(events) - 1][0]) if more else "",
        )


def _rejected_message(row: AnyRow) -> Event:
    if is_stray(row):
        return stray_event_message(row)
    return event_message(row, str(row.build_uuid))
