"""What a spool's segment files are made of: frames.

    length    u32, little-endian: bytes of the body
    checksum  u32, little-endian: CRC-32C over the eight bytes of `sequence` and the body
    sequence  u64, little-endian: from 1, without gaps over all segments of a stream
    body      an event as field `events` of PublishEventsRequest, tag and length included

Because Protobuf messages concatenate, the bodies of consecutive frames, one after
the other, are the event part of a request as they are: see `batch`. A frame with an
empty body is the end mark: nothing comes after it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple, cast

import google_crc32c

from stardag.tracking import wire

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = struct.Struct("<IIQ")
_SEQUENCE = struct.Struct("<Q")
_HEADER_SIZE = HEADER.size
# the library has no types
_crc32c = cast("Callable[[bytes], int]", google_crc32c.value)  # pyright: ignore[reportUnknownMemberType]

MAX_BODY = (1 << 20) - 64
"""Most bytes of a body: those of a batch, less the batch's own. More is damage."""

# fields of PublishEventsRequest
_FIRST_SEQUENCE, _EVENTS = 2, 3
_EVENT_TAG = wire.tag(_EVENTS, 2)


class Frame(NamedTuple):
    """One event as it is spooled and sent."""

    sequence: int
    body: bytes


def encode(sequence: int, body: bytes) -> bytes:
    """Return the frame of `body`."""
    checksum = _crc32c(_SEQUENCE.pack(sequence) + body)
    return HEADER.pack(len(body), checksum, sequence) + body


def decode(data: bytes, sequence: int) -> tuple[list[Frame], int]:
    """Return the frames at the start of `data`, and how many bytes they take.

    The first must have number `sequence`, and so on; it stops at what is cut off,
    damaged or out of order.
    """
    frames: list[Frame] = []
    offset, end = 0, len(data)
    while offset + _HEADER_SIZE <= end:
        length, checksum, found = HEADER.unpack_from(data, offset)
        stop = offset + _HEADER_SIZE + length
        if found != sequence or length > MAX_BODY or stop > end:
            break
        # the sequence is the last part of the header, so both lie side by side
        if _crc32c(data[offset + _HEADER_SIZE - _SEQUENCE.size : stop]) != checksum:
            break
        frames.append(Frame(sequence, data[offset + _HEADER_SIZE : stop]))
        sequence += 1
        offset = stop
    return frames, offset


def find(data: bytes, sequence: int) -> list[Frame]:
    """Return the frames from the first whole one with number `sequence` on, wherever that is."""
    number = _SEQUENCE.pack(sequence)
    before = _HEADER_SIZE - _SEQUENCE.size
    place = data.find(number, before)
    while place >= 0:
        found, _ = decode(data[place - before :], sequence)
        if found:
            return found
        place = data.find(number, place + 1)
    return []


def body(event: bytes) -> bytes:
    """Return the body that carries a serialized NewEvent."""
    return _EVENT_TAG + wire.varint(len(event)) + event


def event(frame_body: bytes) -> bytes:
    """Return the serialized NewEvent that a body carries."""
    offset = 1
    while frame_body[offset] > 0x7F:
        offset += 1
    return frame_body[offset + 1 :]


def batch(frames: list[Frame]) -> bytes:
    """Return the serialized PublishEventsRequest that carries `frames`, at least one."""
    first = wire.number(_FIRST_SEQUENCE, frames[0].sequence)
    return first + b"".join([frame.body for frame in frames])
