"""Appends to a stream's segments.

Whatever `Spool.append` returned for is there after the process is killed; after the machine
loses power, what was forced to disk is.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from stardag.tracking.spool import frames
from stardag.tracking.spool.reader import segment_path

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT_BYTES = 4 << 20
_HIGH = 512
_BALLAST = bytes(8 << 10)  # for the longest end of a build
# how a file is forced to disk; macOS has no fdatasync
force_to_disk = getattr(os, "fdatasync", os.fsync)


class SpoolFullError(OSError):
    """The stream has used up the bytes it may use."""


class Spool:
    """Appends to one stream's segments. Not for use by several threads at once."""

    def __init__(self, directory: Path, lock: int, *, sequence: int, max_bytes: int) -> None:
        """Go on after `sequence`; use `create_stream` or `adopt_stream` instead."""
        self.directory = directory
        self.sequence = sequence
        """Number of the last frame; 0 at first."""
        self.used_bytes = 0
        self._lock = lock
        self._max_bytes = max_bytes
        self._ordinary_bytes = max_bytes * 9 // 10
        self._segment = -1
        self._size = 0
        self._intact = True

    def append(self, body: bytes, *, reserve: bool = False) -> None:
        """Add a frame; when it returns, the death of this process can't lose it.

        The last tenth of the bytes is for those with `reserve`. Raises `SpoolFullError`
        when there is no room, and `OSError` when the disk refuses; nothing is added then,
        and a later append may succeed.
        """
        if not self._intact:
            self._repair()
        frame = frames.encode(self.sequence + 1, body)
        size = len(frame)
        if self.used_bytes + size > (self._max_bytes if reserve else self._ordinary_bytes):
            raise SpoolFullError("the stream's share of the disk is used up")
        if self._segment < 0 or self._size + size > SEGMENT_BYTES:
            self._next_segment()
        # until the next lines have all run, an interrupt may leave file and numbers apart
        self._intact = False
        if os.write(self._segment, frame) < size:
            raise OSError("the disk took only part of the frame")
        self.sequence += 1
        self._size += size
        self.used_bytes += size
        self._intact = True

    def has_room(self, body_bytes: int, *, reserve: bool) -> bool:
        """Return whether a body of that size is within the stream's share of the disk."""
        used = self.used_bytes + frames.HEADER.size + body_bytes
        return used <= (self._max_bytes if reserve else self._ordinary_bytes)

    def ensure_room(self, size: int) -> None:
        """Let the next `size` bytes with `reserve` be kept, also beyond the stream's share."""
        self._max_bytes = max(self._max_bytes, self.used_bytes + size)

    def keep_ballast(self) -> None:
        """Take space on the disk that `drop_ballast` gives back, if there is any."""
        path = self.directory / "ballast"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        # it fails on a full disk, and where there is one already
        with suppress(OSError), os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(_BALLAST)

    def drop_ballast(self) -> None:
        """Make room on a full disk for how it ended, which must be told."""
        with suppress(OSError):
            (self.directory / "ballast").unlink()

    def take_share(self, size: int) -> None:
        """Count bytes that are written beside the segments. Raises `SpoolFullError`."""
        if self.used_bytes + size > self._ordinary_bytes:
            raise SpoolFullError("the stream's share of the disk is used up")
        self.used_bytes += size

    def force(self) -> None:
        """Force what was appended to disk. Raises `OSError` if the disk refuses."""
        if self._segment >= 0:
            force_to_disk(self._segment)

    def duplicate_handle(self) -> int:
        """Return a file descriptor of its own for what was appended last, to force to disk."""
        return os.dup(self._segment)

    def finish(self) -> None:
        """Write the end mark and let go of the stream. Raises `OSError` like `append`."""
        self.append(b"", reserve=True)
        self.force()
        self.release()

    def release(self) -> None:
        """Close the files, and with them the lock, without an end mark."""
        self._close_segment()
        os.close(self._lock)

    def _next_segment(self) -> None:
        self.force()
        self._close_segment()
        path = segment_path(self.directory, self.sequence + 1)
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        try:
            segment = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            # whoever wrote here before was stopped before its first frame was whole
            segment = os.open(path, flags | os.O_TRUNC)
        self._segment = out_of_the_way(segment)
        self._size = 0

    def _close_segment(self) -> None:
        segment, self._segment = self._segment, -1
        if segment >= 0:
            os.close(segment)

    def _repair(self) -> None:
        """Count the last frame if it is whole, and cut it off if not."""
        rest = os.pread(self._segment, frames.HEADER.size + frames.MAX_BODY, self._size)
        # an interrupt came before the frame was counted, or just after
        for number in (self.sequence + 1, self.sequence):
            whole, size = frames.decode(rest, number)
            if whole:
                self.sequence, self._size = number, self._size + size
                break
        os.ftruncate(self._segment, self._size)
        self._intact = True


def out_of_the_way(descriptor: int) -> int:
    """Return the same file under a number that is not given to the next who opens one.

    A task may close files that are not its own, such as all from 3 on. What is appended then must
    fail, and not go into a file that the task has opened since.
    """
    try:
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:  # there are not so many to be had
        return descriptor
    os.close(descriptor)
    return high
