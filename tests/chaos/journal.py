"""What a builder kept aside of its tracking: which appends returned, and which were refused.

    kind      u8: 1 kept, 2 lost
    stream    16 bytes: the stream's id; zeros for what was lost
    sequence  u64, little-endian
    length    u32, little-endian: bytes of the event; what follows

One `write` for each record, after the append returned, and never on the disk that the
spool is on.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from os import write  # before anybody plants a fault into `os.write`
from typing import TYPE_CHECKING
from uuid import UUID

from stardag.tracking.spool import frames
from stardag.tracking.spool.writer import Spool
from stardag.tracking.stream import EventStream

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = struct.Struct("<B16sQI")
_KEPT, _LOST = 1, 2
_NOWHERE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Kept:
    """An append that returned."""

    stream: UUID
    sequence: int
    event: bytes
    """The serialized NewEvent; empty for the end mark."""


@dataclass(frozen=True, slots=True)
class Lost:
    """An event that the tracker was told and could not keep."""

    event: bytes


def keep_journal(file: int) -> None:
    """Write into `file` what becomes of every append of this process."""
    spool_append, stream_append = Spool.append, EventStream.append

    def append(self: Spool, body: bytes, *, reserve: bool = False) -> None:
        spool_append(self, body, reserve=reserve)
        event = frames.event(body) if body else b""
        _record(file, _KEPT, UUID(self.directory.name), self.sequence, event)

    def append_or_lose(self: EventStream, build: bytes, body: bytes, kind: int) -> bool:
        kept = stream_append(self, build, body, kind)
        if not kept:
            _record(file, _LOST, _NOWHERE, 0, frames.event(body))
        return kept

    Spool.append = append
    EventStream.append = append_or_lose


def read_journal(path: Path) -> list[Kept | Lost]:
    """Return what a builder wrote, in order; it may have been killed while it did."""
    data = path.read_bytes() if path.exists() else b""
    records: list[Kept | Lost] = []
    while len(data) >= _HEAD.size:
        kind, stream, sequence, length = _HEAD.unpack_from(data)
        event, data = data[_HEAD.size : _HEAD.size + length], data[_HEAD.size + length :]
        if len(event) == length:
            found = Kept(UUID(bytes=stream), sequence, event) if kind == _KEPT else Lost(event)
            records.append(found)
    return records


def _record(file: int, kind: int, stream: UUID, sequence: int, event: bytes) -> None:
    write(file, _HEAD.pack(kind, stream.bytes, sequence, len(event)) + event)
