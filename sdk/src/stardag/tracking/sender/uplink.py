"""One stream over one connection: batches up, acknowledgements down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import grpc
import grpc.aio

from stardag.tracking.connection import rpc
from stardag.tracking.sender.window import Window
from stardag.tracking.spool import frames
from stardag.v1 import event_service_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from stardag.tracking.connection.address import Address
    from stardag.tracking.connection.credential import Credential
    from stardag.tracking.spool.reader import SpoolReader
    from stardag.tracking.spool.streams import StreamHeader

_METHOD = "/stardag.v1.EventService/PublishEvents"
_BATCH_EVENTS = 500
_POLL_S, _IDLE_POLL_S = 0.005, 0.1
_BATCH_HEAD = 16  # bytes of a batch that are not events
_HEARTBEAT_S = 15.0  # unless the server asks for another
_EMPTY = event_service_pb2.PublishEventsRequest().SerializeToString()


class SpoolGapError(Exception):
    """The server is to get an event that the spool does not have."""


class Progress(NamedTuple):
    """One step of a stream's delivery."""

    acked: int
    """Everything up to here is committed."""
    rejected: int
    """How many events of this step were stored without being applied."""
    proven: bool
    """Whether the server has committed something over this connection, or has nothing to."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect, and how to show who one is.

    There is none by which a credential would travel unencrypted to another machine:
    making one raises `ConfigError`.
    """

    address: Address
    credential: Credential

    def __post_init__(self) -> None:
        """Refuse to be what would leak the credential."""
        self.address.require_safe_for(self.credential)


async def publish(
    server: Server,
    header: StreamHeader,
    open_reader: Callable[[int], SpoolReader],
    *,
    complete: Callable[[SpoolReader], bool],
    report: Callable[[Progress], None],
    cancel: Callable[[str, str], None],
    patience_s: float,
) -> None:
    """Deliver a stream's events until the reader is `complete` and all is acknowledged.

    `open_reader` opens the spool after a number. `report` is called when the stream is
    open, at each acknowledgement, and when there is nothing to acknowledge; `cancel` with the id
    of each build that was asked to stop, and why.

    Raises `rpc.RpcFailure` when connection or server fail; `TimeoutError` if the server
    is silent for `patience_s` seconds while an answer is due; `SpoolGapError`; `AckError` if
    the server does not keep to the contract; `CredentialError`, `TlsError` and `OSError` if
    credential, files of TLS or spool can't be read.
    """
    metadata = grpc.aio.Metadata(*rpc.bearer(server.credential.read()))
    # one connection for each session, so that one that hangs is left behind with it
    async with rpc.aio_channel(server.address, server.credential.tls) as channel:
        # no serializers: the spool has the messages as they are sent
        call = cast("Any", channel.stream_stream(_METHOD))(metadata=metadata)
        session = _Session(call, report, cancel, patience_s)
        try:
            await session.open(header)
            reader = open_reader(session.window.acked)
            try:
                await session.run(reader, complete)
            finally:
                reader.close()
        except grpc.aio.AioRpcError as error:
            raise rpc.failure_of(error) from None
        except asyncio.InvalidStateError:  # written to a call that is over, and knows why
            raise await rpc.failure_of_call(call) from None
        finally:
            call.cancel()


class _Session:
    def __init__(
        self,
        call: Any,
        report: Callable[[Progress], None],
        cancel: Callable[[str, str], None],
        patience_s: float,
    ) -> None:
        self.window = Window()
        self._call = call
        self._report = report
        self._cancel = cancel
        self._patience_s = patience_s
        self._proven = False
        self._stir = asyncio.Event()
        self._heard_at = self._spoke_at = _now()
        self._opened = event_service_pb2.EventStreamOpened()

    async def open(self, header: StreamHeader) -> None:
        open_stream = event_service_pb2.OpenEventStream(
            stream_id=header.stream_id, client=header.client, host=header.host, pid=header.pid
        )
        request = event_service_pb2.PublishEventsRequest(open=open_stream)
        async with asyncio.timeout(self._patience_s):
            await self._call.write(request.SerializeToString())
            while (answer := await self._read()) is None or not answer.HasField("opened"):
                if answer is None:
                    raise await rpc.failure_of_call(self._call)
        self._opened = answer.opened
        self.window.open(answer.opened.committed_sequence, answer.opened.max_unacked_events)
        self._tell()

    async def run(self, reader: SpoolReader, complete: Callable[[SpoolReader], bool]) -> None:
        acks = asyncio.create_task(self._receive())
        try:
            await self._send(reader, complete, acks)
            await self._call.done_writing()
            async with asyncio.timeout(self._patience_s):
                await acks
        finally:
            acks.cancel()

    async def _send(
        self, reader: SpoolReader, complete: Callable[[SpoolReader], bool], acks: asyncio.Task[None]
    ) -> None:
        pause = _POLL_S
        while not acks.done():
            if await self._send_batch(reader):
                pause = _POLL_S
                continue
            if not self.window.unacked:
                self._note_idle()
                if complete(reader):
                    return
            await self._keep_alive()
            if pause == _IDLE_POLL_S and reader.has_gap():
                raise SpoolGapError(f"event {reader.sequence + 1} is missing in {reader.directory}")
            if not await self._wait_for_ack(pause):
                pause = min(2 * pause, _IDLE_POLL_S)
        acks.result()  # raises what ended it
        raise await rpc.failure_of_call(self._call)

    def _note_idle(self) -> None:
        if not self._proven:
            self._proven = True
            self._tell()

    def _tell(self, rejected: int = 0) -> None:
        self._report(Progress(self.window.acked, rejected, self._proven))

    async def _send_batch(self, reader: SpoolReader) -> bool:
        limit = min(self.window.room, self._opened.max_batch_events, _BATCH_EVENTS)
        batch = reader.read(limit, self._opened.max_batch_bytes - _BATCH_HEAD) if limit else []
        if not batch:
            return False
        if not self.window.unacked:
            self._heard_at = _now()
        self.window.send(len(batch))
        await self._write(frames.batch(batch))
        return True

    async def _keep_alive(self) -> None:
        now = _now()
        if self.window.unacked and now - self._heard_at > self._patience_s:
            raise TimeoutError
        heartbeat = self._opened.heartbeat_interval.ToTimedelta().total_seconds()
        if now - self._spoke_at > (heartbeat or _HEARTBEAT_S) / 3:
            await self._write(_EMPTY)

    async def _wait_for_ack(self, seconds: float) -> bool:
        self._stir.clear()
        try:
            async with asyncio.timeout(seconds):
                return await self._stir.wait()
        except TimeoutError:
            return False

    async def _write(self, request: bytes) -> None:
        async with asyncio.timeout(self._patience_s):
            await self._call.write(request)
        self._spoke_at = _now()

    async def _receive(self) -> None:
        """Take acknowledgements until the call ends, and raise unless it ends well."""
        try:
            while (answer := await self._read()) is not None:
                if answer.HasField("cancel"):
                    self._cancel(answer.cancel.build_id, answer.cancel.reason)
                elif answer.HasField("ack"):
                    self.window.ack(answer.ack.committed_sequence)
                    self._heard_at = _now()
                    self._proven = True
                    self._tell(answer.ack.rejected_count)
                    self._stir.set()
        finally:
            self._stir.set()
        failure = await rpc.failure_of_call(self._call)
        if failure.code is not grpc.StatusCode.OK:
            raise failure

    async def _read(self) -> event_service_pb2.PublishEventsResponse | None:
        """Return the next answer, or None if the call is over."""
        answer = await self._call.read()
        if answer is grpc.aio.EOF:
            return None
        return event_service_pb2.PublishEventsResponse.FromString(answer)


def _now() -> float:
    return asyncio.get_running_loop().time()
