"""The spool: what a process has to say, in files, until it is delivered.

    <spool>/<stream id>/stream.json   who writes: see `StreamHeader`
    <spool>/<stream id>/writer.lock   locked (flock) while the writer lives
    <spool>/<stream id>/<number>.seg  segments: frames, named by their first sequence number
    <spool>/<stream id>/assets/       see `asset_files`

A directory appears whole, header and lock included. Whatever `Spool.append` returned
for is there after the process is killed; after the machine loses power, what was
forced to disk is.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, cast

from stardag.tracking import frames
from stardag.tracking.reader import SpoolReader, last_sequence, segment_path

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
"""Version of the files of a stream. Another one is for another version of this software to read."""
SEGMENT_BYTES = 4 << 20
_PRIVATE = 0o700
_UNBOUNDED = 1 << 62  # what is known of a dead writer is little, and must not be lost
# how a file is forced to disk; macOS has no fdatasync
force_to_disk = getattr(os, "fdatasync", os.fsync)


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """Who writes a stream, and to whom."""

    stream_id: str
    client: str
    host: str
    pid: int
    boot_id: str
    address: str | None
    """Server that the events are for; None if they are kept for a later one."""
    format: int = FORMAT
    """Version of what is in the directory."""


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
        if not self.has_room(len(body), reserve=reserve):
            raise SpoolFullError("the stream's share of the disk is used up")
        frame = frames.encode(self.sequence + 1, body)
        size = len(frame)
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
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        try:
            self._segment = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            # whoever wrote here before was stopped before its first frame was whole
            self._segment = os.open(path, flags | os.O_TRUNC)
        self._size = 0

    def _close_segment(self) -> None:
        segment, self._segment = self._segment, -1
        if segment >= 0:
            os.close(segment)

    def _repair(self) -> None:
        """Find out how much of the segment is whole, and cut the rest."""
        reader = SpoolReader(self.directory, self.sequence)
        while reader.read():
            pass
        os.ftruncate(self._segment, reader.offset)
        self.sequence, self._size = reader.sequence, reader.offset
        self._intact = True


def create_stream(spool: Path, header: StreamHeader, *, max_bytes: int) -> Spool:
    """Start the stream `header.stream_id` in the directory `spool`, made if needed.

    Raises `OSError` if that can't be done.
    """
    spool.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    partial = spool / f".{header.stream_id}"
    partial.mkdir(mode=_PRIVATE)
    lock = _open_lock(partial)
    fcntl.flock(lock, fcntl.LOCK_EX)
    private = os.open(partial / "stream.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(private, "w") as file:
        json.dump(asdict(header), file)
    directory = spool / header.stream_id
    partial.rename(directory)
    return Spool(directory, lock, sequence=0, max_bytes=max_bytes)


def adopt_stream(directory: Path) -> Spool | None:
    """Take over a stream whose writer died; None if the writer lives."""
    lock = lock_if_orphaned(directory)
    if lock is None:
        return None
    return Spool(directory, lock, sequence=last_sequence(directory), max_bytes=_UNBOUNDED)


def lock_if_orphaned(directory: Path) -> int | None:
    """Return the stream's lock as a file descriptor, or None if its writer has it."""
    lock = _open_lock(directory)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def writer_lives(directory: Path) -> bool:
    """Return whether a stream's writer has its lock. Raises `OSError`."""
    lock = lock_if_orphaned(directory)
    if lock is None:
        return True
    os.close(lock)
    return False


def read_header(directory: Path) -> StreamHeader:
    """Return who writes a stream. What a later version has added is left out.

    Raises `OSError`, and `ValueError` if the file says something else or the format is another.
    """
    path = directory / "stream.json"
    content = json.loads(path.read_text())
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no header of a stream")
    told = cast("dict[str, Any]", content)
    if (found := told.get("format", FORMAT)) != FORMAT:
        raise ValueError(
            f"{directory} has format {found}, and this version reads {FORMAT}: deliver it with "
            f"the version that wrote it, {told.get('client', 'unknown')}"
        )
    try:
        return StreamHeader(**{name: told[name] for name in _HEADER if name in told})
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from None


_HEADER = [field.name for field in fields(StreamHeader)]


def stream_directories(spool: Path) -> list[Path]:
    """Return the directories of all streams in `spool` that are not yet delivered."""
    try:
        entries = [entry for entry in os.scandir(spool) if _is_uuid(entry.name)]
    except FileNotFoundError:
        return []
    return [spool / entry.name for entry in entries]


def _open_lock(directory: Path) -> int:
    return os.open(directory / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_uuid(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False
