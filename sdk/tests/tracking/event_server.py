"""A small real gRPC server that keeps the contract's rules for PublishEvents, in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from stardag.v1 import event_pb2, event_service_pb2


@dataclass
class Journal:
    """What is committed; outlives the servers that write to it, as a database does."""

    events: dict[str, list[event_pb2.NewEvent]] = field(
        default_factory=dict[str, list[event_pb2.NewEvent]]
    )
    opened: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def all_events(self) -> list[event_pb2.NewEvent]:
        with self.lock:
            return [event for events in self.events.values() for event in events]

    def types(self) -> list[str]:
        return [
            event_pb2.EventType.Name(event.type).removeprefix("EVENT_TYPE_")
            for event in self.all_events()
        ]


class EventServer:
    """Serves until `stop`; `token` is asked for if there is one."""

    def __init__(self, journal: Journal, *, port: int = 0, token: str | None = None) -> None:
        self.journal = journal
        self.token = token
        self.refuse: set[str] = set()
        """Streams that are refused as malformed."""
        self.superseded: set[str] = set()
        """Streams that another connection has opened, whenever one opens them."""
        self.unexplained = False
        """Fail as grpc itself does: with a code, and no reason."""
        self.silent = False
        """Take everything, and answer nothing."""
        self.slow_s = 0.0
        """Seconds that each acknowledgement takes."""
        self.fail_after: int | None = None
        """Events after which each connection breaks, the last of them unacknowledged."""
        self._grpc = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        publish = grpc.stream_stream_rpc_method_handler(
            self.publish_events,
            request_deserializer=event_service_pb2.PublishEventsRequest.FromString,
            response_serializer=event_service_pb2.PublishEventsResponse.SerializeToString,
        )
        # Of the service, this one method: any other answers UNIMPLEMENTED.
        service = grpc.method_handlers_generic_handler(
            "stardag.v1.EventService", {"PublishEvents": publish}
        )
        self._grpc.add_generic_rpc_handlers((service,))
        self.port = self._grpc.add_insecure_port(f"127.0.0.1:{port}")
        self._grpc.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._grpc.stop(0).wait()

    def publish_events(
        self,
        request_iterator: Iterator[event_service_pb2.PublishEventsRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[event_service_pb2.PublishEventsResponse]:
        self._authenticate(context)
        if self.unexplained:
            context.abort(grpc.StatusCode.INTERNAL, "Internal error from Core")
        stream, taken = "", 0
        for request in request_iterator:
            if request.HasField("open"):
                stream = request.open.stream_id
                if stream in self.superseded:
                    abort(context, code_pb2.ABORTED, "STREAM_SUPERSEDED")
                if stream in self.refuse:
                    abort(context, code_pb2.INVALID_ARGUMENT, "REQUEST_INVALID")
                yield from self._open(stream)
            if not request.events:
                continue
            committed = self._commit(stream, request, context)
            taken += len(request.events)
            if self.fail_after is not None and taken >= self.fail_after:
                abort(context, code_pb2.UNAVAILABLE, "STORAGE_UNAVAILABLE", retry_s=0.05)
            time.sleep(self.slow_s)
            if not self.silent:
                ack = event_service_pb2.EventAck(committed_sequence=committed)
                yield event_service_pb2.PublishEventsResponse(ack=ack)

    def _open(self, stream: str) -> Iterator[event_service_pb2.PublishEventsResponse]:
        with self.journal.lock:
            self.journal.opened += 1
            committed = len(self.journal.events.setdefault(stream, []))
        opened = event_service_pb2.EventStreamOpened(
            committed_sequence=committed,
            max_unacked_events=2000,
            max_batch_events=500,
            max_batch_bytes=1 << 20,
            heartbeat_interval=duration_pb2.Duration(seconds=15),
        )
        yield event_service_pb2.PublishEventsResponse(opened=opened)

    def _commit(
        self,
        stream: str,
        request: event_service_pb2.PublishEventsRequest,
        context: grpc.ServicerContext,
    ) -> int:
        with self.journal.lock:
            events = self.journal.events[stream]
            expected = len(events) + 1
            if request.first_sequence > expected:
                abort(context, code_pb2.OUT_OF_RANGE, "SEQUENCE_GAP")
            events.extend(request.events[expected - request.first_sequence :])
            return len(events)

    def _authenticate(self, context: grpc.ServicerContext) -> None:
        sent = dict(context.invocation_metadata()).get("authorization")
        if self.token is not None and sent != f"Bearer {self.token}":
            abort(context, code_pb2.UNAUTHENTICATED, "CREDENTIAL_INVALID")


def abort(
    context: grpc.ServicerContext, code: int, reason: str, *, retry_s: float | None = None
) -> None:
    details = [packed(error_details_pb2.ErrorInfo(reason=reason, domain="stardag.dev"))]
    if retry_s is not None:
        delay = duration_pb2.Duration(nanos=int(retry_s * 1e9))
        details.append(packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    status = status_pb2.Status(code=code, message=reason.lower(), details=details)
    context.abort_with_status(rpc_status.to_status(status))


def packed(message: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo) -> any_pb2.Any:
    holder = any_pb2.Any()
    holder.Pack(message)
    return holder
