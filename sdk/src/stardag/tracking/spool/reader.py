"""Reads a stream's segments while they are written, and again from any number."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from stardag.tracking.spool import frames
from stardag.tracking.spool.frames import Frame

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 256 << 10


def segment_path(directory: Path, first: int) -> Path:
    """Return the path of the segment whose first frame has number `first`."""
    return directory / f"{first:020d}.seg"


def segment_starts(directory: Path) -> list[int]:
    """Return the number of each segment's first frame, ascending."""
    names = (entry.name for entry in os.scandir(directory))
    return sorted(int(name[:-4]) for name in names if name.endswith(".seg"))


def last_sequence(directory: Path) -> int:
    """Return the number of the last whole frame, 0 if there is none."""
    starts = segment_starts(directory)
    with SpoolReader(directory, starts[-1] - 1 if starts else 0) as reader:
        while reader.read():
            pass
        return reader.sequence


class SpoolReader:
    """Yields a stream's frames after a given number, as far as they are written.

    What is cut off or damaged at the end of a segment is not there: a later read sees
    it once it is whole, or goes on with the segment that begins with the same number.

    A context manager, or to be closed.
    """

    def __init__(self, directory: Path, after: int = 0) -> None:
        """Read from number `after` + 1 on."""
        self.directory = directory
        self.sequence = after
        """Number of the last frame read."""
        self.offset = 0
        """Bytes of the current segment up to there."""
        self.ended = False
        """True once the end mark was read."""
        self._segment = -1
        self._pending: list[Frame] = []
        self._seek(after)

    def read(self, max_events: int = 500, max_bytes: int = frames.MAX_BODY) -> list[Frame]:
        """Return the next frames within both limits, at least one if there is any.

        Empty if there is nothing more for now. Raises `OSError` if a file can't be read.
        """
        found: list[Frame] = []
        size = 0
        while len(found) < max_events:
            if not self._pending and not self._fill():
                break
            frame = self._pending[-1]
            size += len(frame.body)
            if found and size > max_bytes:
                break
            found.append(self._pending.pop())
            self.sequence = frame.sequence
        return found

    def has_gap(self) -> bool:
        """Return whether the next frame is missing although later ones are there."""
        later = any(start > self.sequence + 1 for start in segment_starts(self.directory))
        # looked at only now, or what was written in between would count as missing
        return later and not self._pending and not self._fill() and not self.ended

    def skip_gap(self) -> bool:
        """Go on behind what is missing; return whether there was such a gap."""
        if not self.has_gap():
            return False
        first = min(start for start in segment_starts(self.directory) if start > self.sequence + 1)
        self.sequence = first - 1
        return self._open(first)

    def close(self) -> None:
        """Close the file; the reader can't be used any more."""
        if self._segment >= 0:
            os.close(self._segment)
            self._segment = -1

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _seek(self, after: int) -> None:
        starts = [start for start in segment_starts(self.directory) if start <= after + 1]
        if not starts or starts[-1] == after + 1:
            return
        self._open(starts[-1])
        self.sequence = starts[-1] - 1
        while self.sequence < after and self.read(max_events=after - self.sequence):
            pass

    def _open(self, first: int) -> bool:
        try:
            segment = os.open(segment_path(self.directory, first), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self.close()
        self._segment, self.offset = segment, 0
        return True

    def _fill(self) -> bool:
        """Decode more of the current segment, or of the one after it."""
        if self.ended:
            return False
        if self._segment < 0 or not self._decode():
            return self._open(self.sequence + 1) and self._decode()
        return True

    def _decode(self) -> bool:
        # always from the last whole frame on: what came after it may have been cut since
        data = os.pread(self._segment, _CHUNK, self.offset)
        decoded, used = frames.decode(data, self.sequence + 1)
        if not decoded and len(data) == _CHUNK:
            data = os.pread(self._segment, frames.HEADER.size + frames.MAX_BODY, self.offset)
            decoded, used = frames.decode(data, self.sequence + 1)
        if not decoded:
            return False
        self.offset += used
        if not decoded[-1].body:
            self.ended = True
            decoded.pop()
        self._pending = decoded[::-1]
        return bool(decoded)
