"""stardag.v1.EventService."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

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
    WatchBuildResponse,
    WatchEventsRequest,
    WatchEventsResponse,
)
from stardag_server.auth.principal import caller
from stardag_server.domain.refusals import NotImplementedHere
from stardag_server.publishing import Publishing
from stardag_server.store.store import Store
from stardag_server.usage import Usage
from stardag_server.watch import Watching


class EventService:
    """Events in and events out. The contract is in the proto file."""

    def __init__(
        self, store: Store, publishing: Publishing, watching: Watching, usage: Usage
    ) -> None:
        self._store = store
        self._publishing = publishing
        self._watching = watching
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

    async def watch_build(self, request: WatchBuildRequest) -> AsyncGenerator[WatchBuildResponse]:
        """Follow one build."""
        workspace = caller().workspace
        with self._usage.watch(workspace):
            async with contextlib.aclosing(self._watching.watch(workspace, request)) as responses:
                async for response in responses:
                    yield response

    def watch_events(self, request: WatchEventsRequest) -> AsyncIterator[WatchEventsResponse]:
        """Follow the events of the workspace that match a filter."""
        raise NotImplementedHere("WatchEvents")

    async def list_events(self, request: ListEventsRequest) -> ListEventsResponse:
        """List the events of one build."""
        raise NotImplementedHere("ListEvents")

    async def list_rejected_events(
        self, request: ListRejectedEventsRequest
    ) -> ListRejectedEventsResponse:
        """List the events of the workspace that were stored without being applied."""
        raise NotImplementedHere("ListRejectedEvents")
