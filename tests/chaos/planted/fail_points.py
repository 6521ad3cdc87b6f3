"""Where a process can be killed: between each two steps from an append to its acknowledgement."""

from __future__ import annotations

import functools
import inspect
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class FailPoint:
    """The process that passes there kills itself, with SIGKILL, and only the first that does.

    It is marked by the file that CHAOS_MARK names.
    """

    process: Literal["builder", "sender", "server"]
    place: str
    """What is called, such as `package.module:Class.method`."""
    when: Literal["before", "halfway", "after"]
    """In relation to that call; `halfway`: of what it is to write, half is written."""
    passes: int = 1
    """The pass at which it happens."""
    orphans: bool = False
    """Whether one gets there only when a builder has died."""

    def around(self, function: Any) -> Any:
        """Return what does as `function`, until the time has come."""
        passed = 0

        def come_to(when: str, *args: Any) -> None:
            nonlocal passed
            if when != self.when:
                return
            passed += 1
            if passed == self.passes and is_first():
                if when == "halfway":
                    file, data = args
                    os.write(file, data[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)

        return _interposed(function, come_to)


def _interposed(function: Any, come_to: Callable[..., None]) -> Any:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            come_to("before")
            result = await function(*args, **kwargs)
            come_to("after")
            return result

        return awaited

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        come_to("before")
        come_to("halfway", *args)
        result = function(*args, **kwargs)
        come_to("after")
        return result

    return called


def is_first() -> bool:
    """Return True to the first who asks, of all processes, and leave the mark."""
    try:
        os.close(os.open(os.environ["CHAOS_MARK"], os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


_STREAMS, _WRITER = "stardag.tracking.spool.streams", "stardag.tracking.spool.writer"
_STREAM = "stardag.tracking.stream"
_UPLINK, _SHIPMENT = "stardag.tracking.sender.uplink", "stardag.tracking.sender.shipment"
_INGEST = "stardag_server.ingest:Ingest"
_STORE, _COMMIT = "stardag_server.store.store:Store", "stardag_server.store.commit:Commit"

FAIL_POINTS = {
    # a builder appends
    "stream_made_but_not_in_place": FailPoint("builder", f"{_STREAMS}:fcntl.flock", "after"),
    "stream_in_place_but_empty": FailPoint("builder", f"{_STREAM}:create_stream", "after"),
    "segment_made_but_empty": FailPoint("builder", f"{_WRITER}:Spool._next_segment", "after", 3),
    "frame_half_written": FailPoint("builder", f"{_WRITER}:os.write", "halfway", 40),
    "frame_written_but_not_counted": FailPoint("builder", f"{_WRITER}:os.write", "after", 40),
    "appended_but_not_forced": FailPoint("builder", f"{_STREAM}:EventStream.force", "before"),
    "build_ended_but_not_the_process": FailPoint(
        "builder", "stardag.tracking.tracker:Tracker.wait_delivered", "before"
    ),
    # a sender says what a dead builder could not
    "death_not_yet_said": FailPoint("sender", f"{_WRITER}:Spool.append", "before", 1, orphans=True),
    "death_half_said": FailPoint("sender", f"{_WRITER}:os.write", "halfway", 1, orphans=True),
    "death_said_but_no_end": FailPoint(
        "sender", f"{_WRITER}:Spool.append", "after", 1, orphans=True
    ),
    "end_said_but_not_forced": FailPoint(
        "sender", f"{_WRITER}:Spool.force", "before", 2, orphans=True
    ),
    # it sends
    "stream_not_yet_opened": FailPoint("sender", f"{_UPLINK}:_Session.open", "before"),
    "opened_but_nothing_sent": FailPoint("sender", f"{_UPLINK}:_Session.open", "after"),
    "read_but_not_sent": FailPoint("sender", f"{_UPLINK}:_Session._write", "before", 2),
    "sent_but_not_acknowledged": FailPoint("sender", f"{_UPLINK}:_Session._write", "after", 2),
    # the server commits
    "open_stored_but_not_told": FailPoint("server", f"{_STORE}.open_stream", "after"),
    "received_but_not_queued": FailPoint("server", f"{_INGEST}.submit", "before", 2),
    "queued_but_not_stored": FailPoint("server", f"{_STORE}.commit", "before", 2),
    "stored_but_not_committed": FailPoint("server", f"{_COMMIT}.run", "after", 2),
    "committed_but_not_told": FailPoint("server", f"{_STORE}.commit", "after", 2),
    "told_but_not_acknowledged": FailPoint("server", "stardag_server.publishing:_ack", "after", 2),
    # the sender takes note
    "acknowledged_but_not_noted": FailPoint("sender", f"{_UPLINK}:Window.ack", "before", 2),
    "noted_but_not_written": FailPoint("sender", f"{_SHIPMENT}:write_delivery", "before", 3),
    "note_written_but_not_in_place": FailPoint(
        "sender", "stardag.tracking.spool.delivery:json.dump", "after", 4
    ),
    "note_in_place": FailPoint("sender", f"{_SHIPMENT}:write_delivery", "after", 3),
    "delivered_but_not_put_aside": FailPoint(
        "sender", "stardag.tracking.sender.dispatch:put_aside", "before"
    ),
    "put_aside": FailPoint("sender", "stardag.tracking.sender.dispatch:put_aside", "after"),
}
