"""How far a stream is sent and how far it is acknowledged; pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass


class AckError(Exception):
    """The server acknowledged what it was never sent."""


@dataclass(slots=True)
class Window:
    """The numbers of one stream: acked <= sent, and at most `limit` events in between."""

    acked: int = 0
    """Everything up to here is committed; nothing of it is ever needed again."""
    sent: int = 0
    """Everything up to here is on the way, over the present connection."""
    limit: int = 1

    @property
    def room(self) -> int:
        """How many more events may be sent now."""
        return max(0, self.limit - self.unacked)

    @property
    def unacked(self) -> int:
        """How many events are on the way."""
        return self.sent - self.acked

    def open(self, committed: int, limit: int) -> None:
        """Begin a connection where the server is.

        It may be further than was acknowledged, when acknowledgements were lost; and less
        far, when it was restored from a backup: then all it misses is to be sent again.
        """
        self.acked = self.sent = committed
        self.limit = max(1, limit)

    def send(self, events: int) -> int:
        """Note that `events` events go out; return the number of the first."""
        first = self.sent + 1
        self.sent += events
        return first

    def ack(self, committed: int) -> int:
        """Note an acknowledgement; return how many events it confirms, 0 if it is an old one.

        Raises `AckError` if it is for what was not sent.
        """
        if committed > self.sent:
            raise AckError(f"event {committed} was acknowledged, but {self.sent} was the last sent")
        confirmed = max(0, committed - self.acked)
        self.acked += confirmed
        return confirmed
