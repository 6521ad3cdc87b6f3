"""Closes the streams of processes that died: what they could not say is said for them."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from stardag.tracking.spool import frames
from stardag.tracking.spool.damage import cut_damage
from stardag.tracking.spool.delivery import read_delivery
from stardag.tracking.spool.reader import SpoolReader, last_sequence, segment_starts
from stardag.tracking.spool.streams import adopt_stream, boot_id
from stardag.v1 import event_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stardag.tracking.spool.streams import StreamHeader

_BUILD_ENDS = frozenset(
    {
        event_pb2.EVENT_TYPE_BUILD_COMPLETED,
        event_pb2.EVENT_TYPE_BUILD_FAILED,
        event_pb2.EVENT_TYPE_BUILD_CANCELLED,
        event_pb2.EVENT_TYPE_BUILD_EXITED_EARLY,
        event_pb2.EVENT_TYPE_PRODUCER_DIED,
    }
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time by both clocks of a producer, in microseconds."""

    event_time_us: int
    monotonic_us: int


def written_here(header: StreamHeader) -> bool:
    """Return whether a stream's writer would hold its lock where this process can see it.

    Of a directory copied from another machine, nobody here can tell if its writer lives.
    """
    return header.host == socket.gethostname() or (bool(boot_id()) and header.boot_id == boot_id())


def close_if_orphaned(directory: Path, header: StreamHeader, *, seen_alive: bool) -> bool:
    """Close a stream whose writer has died: PRODUCER_DIED for each open build, then the end mark.

    If its files are damaged, it is cut there; EVENTS_LOST, for the build that had the last event,
    says how much is missing. If that event is the build's end, it is kept.

    The time of death is now if the writer was `seen_alive` by the caller a moment ago,
    and otherwise that of its last event, as nobody knows better. Return whether the stream
    is closed. Raises `OSError`.
    """
    spool = adopt_stream(directory)
    if spool is None:
        return False
    try:
        spool.drop_ballast()
        behind = cut_damage(directory)
        # the server may have more than a disk whose machine lost power
        spool.sequence = max(last_sequence(directory), read_delivery(directory).acked)
        kept = _what_damage_left(behind, spool.sequence) if behind is not None else []
        starts = segment_starts(directory)
        with SpoolReader(directory, starts[0] - 1 if starts else 0) as reader:
            open_builds, last = summarize(chain(_events(reader), kept))
        if not reader.ended:
            moment = _now() if seen_alive and header.boot_id == boot_id() else last
            for event in (*kept, *(_death(build, moment, header) for build in open_builds)):
                spool.append(frames.body(event.SerializeToString()))
            spool.append(b"")
            spool.force()
    finally:
        spool.release()
    return True


def summarize(events: Iterable[event_pb2.NewEvent]) -> tuple[list[bytes], Moment]:
    """Return the builds that started and did not end, and the moment of the last event.

    One whose first event says that some were lost has started: that was lost.
    """
    is_open: dict[bytes, bool] = {}
    last = Moment(0, 0)
    for event in events:
        last = _moment_of(event)
        if event.type == event_pb2.EVENT_TYPE_BUILD_STARTED:
            is_open[event.build_id] = True
        elif event.type == event_pb2.EVENT_TYPE_EVENTS_LOST:
            is_open.setdefault(event.build_id, True)
        elif event.type in _BUILD_ENDS:
            is_open[event.build_id] = False
    return [build for build, opened in is_open.items() if opened], last


def _events(reader: SpoolReader) -> Iterable[event_pb2.NewEvent]:
    while batch := reader.read():
        for frame in batch:
            yield event_pb2.NewEvent.FromString(frames.event(frame.body))


def _what_damage_left(behind: frames.Frame, before: int) -> list[event_pb2.NewEvent]:
    """Return what is to be said of the events from `before` up to the last one, `behind`."""
    final = event_pb2.NewEvent.FromString(frames.event(behind.body))
    kept = [final] if final.type in _BUILD_ENDS and behind.sequence > before else []
    count = behind.sequence - before - len(kept)
    if count > 0:
        kept.insert(0, _loss(final.build_id, _moment_of(final), count))
    return kept


def _death(build: bytes, moment: Moment, header: StreamHeader) -> event_pb2.NewEvent:
    reason = f"process {header.pid} on {header.host} died before the build ended"
    end = event_pb2.BuildEnd(reason=reason)
    return _event(build, event_pb2.EVENT_TYPE_PRODUCER_DIED, moment, build_end=end)


def _loss(build: bytes, moment: Moment, count: int) -> event_pb2.NewEvent:
    lost = event_pb2.EventsLost(count=count)
    return _event(build, event_pb2.EVENT_TYPE_EVENTS_LOST, moment, events_lost=lost)


def _event(
    build: bytes, kind: event_pb2.EventType.ValueType, moment: Moment, **detail: Any
) -> event_pb2.NewEvent:
    return event_pb2.NewEvent(
        build_id=build,
        type=kind,
        event_time_us=moment.event_time_us,
        monotonic_us=moment.monotonic_us,
        **detail,
    )


def _moment_of(event: event_pb2.NewEvent) -> Moment:
    return Moment(event.event_time_us, event.monotonic_us)


def _now() -> Moment:
    return Moment(time.time_ns() // 1000, time.monotonic_ns() // 1000)
