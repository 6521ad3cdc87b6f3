"""A producer's stream while it is open: batches in, acknowledgements out."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

from google.protobuf.duration_pb2 import Duration

from stardag.v1.event_service_pb2 import (
    CancelNotice,
    EventAck,
    EventStreamOpened,
    OpenEventStream,
    PublishEventBatchRequest,
    PublishEventBatchResponse,
    PublishEventsRequest,
    PublishEventsResponse,
)
from stardag_server.cancels import Cancels
from stardag_server.domain import limits
from stardag_server.domain.batch import Batch, Committed, OpenStream
from stardag_server.domain.ids import parse_id
from stardag_server.domain.refusals import (
    MessageTooLarge,
    Refusal,
    RequestInvalid,
    ServerDraining,
    StreamProtocol,
    StreamSuperseded,
)
from stardag_server.ingest import Ingest
from stardag_server.store.store import Store
from stardag_server.usage import Usage

HEARTBEAT_INTERVAL = 15
"""Seconds after which a silent producer is to say that it lives."""


class Publishing:
    """All streams that are open in this process."""

    def __init__(self, store: Store, ingest: Ingest, cancels: Cancels, usage: Usage) -> None:
        self._store = store
        self._cancels = cancels
        self._ingest = ingest
        self._usage = usage
        self._open: dict[int, _Session] = {}
        """By the stream's key: two workspaces may have streams of one id."""
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """End all streams as soon as what they delivered is committed; open none any more."""
        self._draining.set()
        for session in self._open.values():
            session.end(ServerDraining())

    async def stream(
        self, workspace: int, requests: AsyncIterator[PublishEventsRequest]
    ) -> AsyncIterator[PublishEventsResponse]:
        """Serve one stream, from its first message to its end. Raises TooManyStreams."""
        with self._usage.stream(workspace):
            async with contextlib.aclosing(self._stream(workspace, requests)) as responses:
                async for response in responses:
                    yield response

    async def _stream(
        self, workspace: int, requests: AsyncIterator[PublishEventsRequest]
    ) -> AsyncGenerator[PublishEventsResponse]:
        first = await self._first(requests)
        if first is None or not first.HasField("open"):
            raise StreamProtocol("the first message on a stream must have `open`")
        opened = await self._open_stream(workspace, first.open)
        session = _Session(workspace, opened, self._ingest, self._usage)
        if older := self._open.get(opened.key):
            older.end(StreamSuperseded(opened.uuid))
        self._open[opened.key] = session
        if self._draining.is_set():
            session.end(ServerDraining())
        try:
            yield PublishEventsResponse(opened=_opened(opened))
            with self._cancels.listening(workspace, opened.uuid, session.tell):
                async with contextlib.aclosing(session.responses(first, requests)) as responses:
                    async for response in responses:
                        yield response
        finally:
            if self._open.get(opened.key) is session:
                del self._open[opened.key]

    async def _first(
        self, requests: AsyncIterator[PublishEventsRequest]
    ) -> PublishEventsRequest | None:
        """Return the first message; None if there is none. Raises ServerDraining if that comes."""
        if self._draining.is_set():
            raise ServerDraining
        message = asyncio.ensure_future(anext(requests, None))
        draining = asyncio.create_task(self._draining.wait())
        try:
            await asyncio.wait((message, draining), return_when=asyncio.FIRST_COMPLETED)
            if not message.done():
                raise ServerDraining
            return message.result()
        finally:
            message.cancel()
            draining.cancel()

    async def batch(
        self, workspace: int, request: PublishEventBatchRequest
    ) -> PublishEventBatchResponse:
        """Commit one batch; without events, tell how far the stream is committed."""
        if self._draining.is_set():
            raise ServerDraining
        stream = parse_id("stream.stream_id", request.stream.stream_id)
        if not request.events:
            committed = await self._store.queries.watermark(workspace, stream)
            return PublishEventBatchResponse(
                ack=EventAck(committed_sequence=committed),
                cancels=await self._cancels.notices(workspace, stream),
            )
        _check_size(request)
        self._usage.count_events(workspace, len(request.events))
        opened = await self._open_stream(workspace, request.stream)
        if older := self._open.get(opened.key):
            older.end(StreamSuperseded(opened.uuid))
        batch = Batch(workspace, opened, request.first_sequence, request.events)
        outcome = await (await self._ingest.submit(batch))
        return PublishEventBatchResponse(
            ack=_ack([outcome]), cancels=await self._cancels.notices(workspace, stream)
        )

    async def _open_stream(self, workspace: int, request: OpenEventStream) -> OpenStream:
        stream = parse_id("open.stream_id", request.stream_id)
        for field, text in (("client", request.client), ("host", request.host)):
            if len(text) > limits.MAX_NAME:
                raise RequestInvalid.of(f"open.{field}", f"at most {limits.MAX_NAME} characters")
        return await self._store.open_stream(workspace, stream, request)


class _Session:
    """One connection's part in a stream.

    What ends the session (the client, an error, or `end`) comes after the
    acknowledgements of all that was taken in before.
    """

    def __init__(self, workspace: int, stream: OpenStream, ingest: Ingest, usage: Usage) -> None:
        self._workspace = workspace
        self._stream = stream
        self._ingest = ingest
        self._usage = usage
        self._outcomes: deque[asyncio.Future[Committed]] = deque()
        self._notices: deque[CancelNotice] = deque()
        self._changed = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._ending: Refusal | None = None

    def end(self, refusal: Refusal) -> None:
        """Take nothing more in; end with this refusal once all before is acknowledged."""
        self._ending = self._ending or refusal
        if self._reader:
            self._reader.cancel()

    def tell(self, notice: CancelNotice) -> None:
        """Have the client told that a build was asked to stop."""
        self._notices.append(notice)
        self._changed.set()

    async def responses(
        self, first: PublishEventsRequest, requests: AsyncIterator[PublishEventsRequest]
    ) -> AsyncGenerator[PublishEventsResponse]:
        """Read requests and yield what is committed of them, and what is to be told."""
        reader = self._reader = asyncio.create_task(self._read(first, requests))
        reader.add_done_callback(lambda _: self._changed.set())
        if self._ending:
            reader.cancel()
        try:
            while self._outcomes or self._notices or not reader.done():
                while self._notices:
                    yield PublishEventsResponse(cancel=self._notices.popleft())
                if not self._outcomes:
                    self._changed.clear()
                    if not reader.done():
                        await self._changed.wait()
                    continue
                committed = [await self._outcomes.popleft()]
                while self._outcomes and _succeeded(self._outcomes[0]):
                    committed.append(self._outcomes.popleft().result())
                yield PublishEventsResponse(ack=_ack(committed))
        finally:
            reader.cancel()
        if self._ending:
            raise self._ending
        reader.result()

    async def _read(
        self, first: PublishEventsRequest, requests: AsyncIterator[PublishEventsRequest]
    ) -> None:
        heard = 0.0
        if first.events:
            await self._take(first)
        async for request in requests:
            if request.HasField("open"):
                raise StreamProtocol("`open` belongs in the first message only")
            # A sign of life is written down from time to time only.
            now = asyncio.get_running_loop().time()
            if request.events or now - heard >= HEARTBEAT_INTERVAL:
                heard = now
                await self._take(request)

    async def _take(self, request: PublishEventsRequest) -> None:
        _check_size(request)
        await self._slow_down(len(request.events))
        await self._submit(
            Batch(self._workspace, self._stream, request.first_sequence, request.events)
        )

    async def _slow_down(self, count: int) -> None:
        """Wait until the workspace may have so many events more: nothing is read meanwhile."""
        while wait := self._usage.wait_for_events(self._workspace, count):
            await asyncio.sleep(min(wait, HEARTBEAT_INTERVAL))
            if wait > HEARTBEAT_INTERVAL:
                # Its own signs of life wait behind what is not read: it must not count as silent.
                await self._submit(Batch(self._workspace, self._stream, 0, ()))

    async def _submit(self, batch: Batch) -> None:
        self._outcomes.append(await self._ingest.submit(batch))
        self._changed.set()


def _succeeded(outcome: asyncio.Future[Committed]) -> bool:
    return outcome.done() and outcome.exception() is None


def _check_size(request: PublishEventsRequest | PublishEventBatchRequest) -> None:
    count = len(request.events)
    if count > limits.MAX_BATCH_EVENTS:
        raise MessageTooLarge("events", limits.MAX_BATCH_EVENTS, count)
    if (size := request.ByteSize()) > limits.MAX_BATCH_BYTES:
        raise MessageTooLarge("bytes", limits.MAX_BATCH_BYTES, size)
    if count and not 1 <= request.first_sequence <= limits.MAX_INT64 - count:
        raise RequestInvalid.of("first_sequence", "must be between 1 and 2^63")


def _opened(stream: OpenStream) -> EventStreamOpened:
    return EventStreamOpened(
        committed_sequence=stream.committed_sequence,
        max_unacked_events=limits.MAX_UNACKED_EVENTS,
        max_batch_events=limits.MAX_BATCH_EVENTS,
        max_batch_bytes=limits.MAX_BATCH_BYTES,
        heartbeat_interval=Duration(seconds=HEARTBEAT_INTERVAL),
    )


def _ack(committed: list[Committed]) -> EventAck:
    rejections = [rejection for batch in committed for rejection in batch.rejections]
    return EventAck(
        committed_sequence=committed[-1].sequence,
        rejections=rejections[: limits.MAX_LISTED_REJECTIONS],
        rejected_count=len(rejections),
    )
