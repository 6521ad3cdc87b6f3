"""A gRPC relay before a server, as a load balancer is one; it notes what producers send."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self, cast

import grpc

from stardag.v1.event_service_pb2 import PublishEventsRequest, PublishEventsResponse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PUBLISH_EVENTS = "/stardag.v1.EventService/PublishEvents"
HEARTBEAT_MS = 50
BATCH_EVENTS = 3


class Relay(grpc.GenericRpcHandler):
    """Listens with TLS on a free port of loopback while it is entered.

    Producers are told to send no more than 3 events in a message, and something each 50 ms.
    """

    def __init__(self, server: str, certificate: Path, key: Path) -> None:
        self.refused_once: set[str] = set()
        """Methods whose next call is answered with UNAVAILABLE."""
        self.connections: list[Connection] = []
        """Of streams of events, in the order in which they were opened."""
        self._upstream = grpc.insecure_channel(server)
        self._server = grpc.server(ThreadPoolExecutor(16), handlers=[self])
        files = [(key.read_bytes(), certificate.read_bytes())]
        credentials = grpc.ssl_server_credentials(files)
        self.port = self._server.add_secure_port("127.0.0.1:0", credentials)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._upstream.close()
        self._server.stop(None).wait()

    def service(self, handler_call_details: Any) -> Any:
        method: str = handler_call_details.method

        def serve(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            if method in self.refused_once:
                self.refused_once.remove(method)
                context.abort(grpc.StatusCode.UNAVAILABLE, "there is no server just now")
            if method != PUBLISH_EVENTS:
                return self._pass_on(method, requests, context)
            self.connections.append(connection := Connection())
            responses = self._pass_on(method, connection.noted(requests), context)
            return map(connection.answer, responses)

        return cast("Any", grpc).stream_stream_rpc_method_handler(serve)

    def _pass_on(
        self, method: str, requests: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        sent = {pair for pair in context.invocation_metadata() if pair[0] == "authorization"}
        call = cast("Any", self._upstream).stream_stream(method)(requests, metadata=tuple(sent))
        context.add_callback(call.cancel)
        try:
            yield from call
        except grpc.RpcError:
            context.set_trailing_metadata(call.trailing_metadata())
            context.set_code(call.code())
            context.set_details(call.details())


class Connection:
    """One connection of a stream of events."""

    def __init__(self) -> None:
        self.committed = 0
        """The number that the producer was told when it was opened."""
        self.batches: list[tuple[int, int]] = []
        """Number of the first event, and of events, of each message that has any."""
        self.heartbeats = 0

    def noted(self, requests: Iterator[bytes]) -> Iterator[bytes]:
        for encoded in requests:
            request = PublishEventsRequest.FromString(encoded)
            if request.events:
                self.batches.append((request.first_sequence, len(request.events)))
            elif not request.HasField("open"):
                self.heartbeats += 1
            yield encoded

    def answer(self, encoded: bytes) -> bytes:
        response = PublishEventsResponse.FromString(encoded)
        if not response.HasField("opened"):
            return encoded
        self.committed = response.opened.committed_sequence
        response.opened.max_batch_events = BATCH_EVENTS
        response.opened.heartbeat_interval.FromMilliseconds(HEARTBEAT_MS)
        return response.SerializeToString()
