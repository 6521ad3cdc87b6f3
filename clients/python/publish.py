"""Events in: each is stored once, whatever becomes of connections."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Condition

import grpc
from connection import Metadata
from errors import retry_delay_s, text
from events import CLIENT_NAME

from stardag.v1.event_pb2 import NewEvent
from stardag.v1.event_service_pb2 import (
    CancelNotice,
    EventStreamOpened,
    OpenEventStream,
    PublishEventsRequest,
    PublishEventsResponse,
)
from stardag.v1.event_service_pb2_grpc import EventServiceStub

# What precedes an event in its message: one byte of tag, and its length in at most five.
TAG_AND_LENGTH = 6
# What `first_sequence` takes in the message: one byte of tag, and at most ten of number.
FIRST_SEQUENCE = 11


@dataclass
class Outbox:
    """The events of a stream, numbered from 1, as they happen.

    It keeps them all, in memory, so that any may be sent again; a producer whose events are to
    survive it keeps them on disk.
    """

    events: list[NewEvent] = field(default_factory=list[NewEvent])
    closed: bool = False
    """Whether no more events come."""
    changed: Condition = field(default_factory=Condition)

    def add(self, event: NewEvent) -> None:
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()


@dataclass(frozen=True)
class Producer:
    """Publishes the events of one stream."""

    service: EventServiceStub
    metadata: Metadata
    stream_id: str
    outbox: Outbox
    cancelled: Callable[[CancelNotice], None]
    """Is called when somebody asks a build of the stream to stop, perhaps repeatedly."""

    def publish(self) -> int:
        """Deliver the events of the outbox until that is closed; return how many are committed.

        What the server has already is not sent again. After a failure that is worth it, the stream
        is opened anew, and goes on after what was committed. Raises `grpc.RpcError`.
        """
        while True:
            connection = Connection(self.stream_id, self.outbox)
            requests = connection.requests()
            try:
                for response in self.service.PublishEvents(requests, metadata=self.metadata):
                    if response.HasField("cancel"):
                        self.cancelled(response.cancel)
                    connection.take(response)
            except grpc.RpcError as error:
                if (delay := retry_delay_s(error)) is None:
                    raise
                print("the stream broke, and is opened anew:", text(error), file=sys.stderr)
                time.sleep(delay)
            else:
                return connection.committed
            finally:
                connection.end()


class Connection:
    """One connection of a stream: what is sent on it follows from what was received."""

    def __init__(self, stream_id: str, outbox: Outbox) -> None:
        self.committed = 0
        """Everything up to this number is durable, and visible to reads."""
        self._stream_id = stream_id
        self._outbox = outbox
        self._sent = 0
        self._limits: EventStreamOpened | None = None
        self._ended = False

    def requests(self) -> Iterator[PublishEventsRequest]:
        """Yield the messages to send; it waits for events, and for what `take` is given."""
        yield PublishEventsRequest(
            open=OpenEventStream(stream_id=self._stream_id, client=CLIENT_NAME)
        )
        changed = self._outbox.changed
        with changed:
            changed.wait_for(lambda: self._ended or self._limits is not None)
        while (request := self._next()) is not None:
            yield request

    def take(self, response: PublishEventsResponse) -> None:
        """Take note of a response. Kinds that it does not know it ignores, as it must."""
        with self._outbox.changed:
            if response.HasField("opened"):
                self._limits = response.opened
                self.committed = self._sent = response.opened.committed_sequence
            elif response.HasField("ack"):
                self.committed = response.ack.committed_sequence
                for one in response.ack.rejections:
                    told = f"event {one.sequence} is stored as rejected: {one.message}"
                    print(told, file=sys.stderr)
            self._outbox.changed.notify_all()

    def end(self) -> None:
        """Let go of whoever waits for the next request."""
        with self._outbox.changed:
            self._ended = True
            self._outbox.changed.notify_all()

    def _next(self) -> PublishEventsRequest | None:
        """Return events, or a heartbeat if there are none in time; None after the last."""
        changed, limits = self._outbox.changed, self._limits
        with changed:
            if self._ended or limits is None:
                return None
            interval_s = limits.heartbeat_interval.ToTimedelta().total_seconds() / 2
            changed.wait_for(lambda: self._is_done() or self._batch(limits), interval_s)
            if self._is_done():
                return None
            events = self._batch(limits)
            first = self._sent + 1 if events else 0
            self._sent += len(events)
        return PublishEventsRequest(first_sequence=first, events=events)

    def _is_done(self) -> bool:
        return self._ended or (self._outbox.closed and self._sent >= len(self._outbox.events))

    def _batch(self, limits: EventStreamOpened) -> list[NewEvent]:
        """Return as many of the events that wait as one message may have, and at least one.

        Nothing while as many are under way as may be.
        """
        window = self.committed + limits.max_unacked_events
        end = min(self._sent + limits.max_batch_events, window)
        batch: list[NewEvent] = []
        size = FIRST_SEQUENCE
        for event in self._outbox.events[self._sent : end]:
            size += event.ByteSize() + TAG_AND_LENGTH
            if batch and size > limits.max_batch_bytes:
                break
            batch.append(event)
        return batch
