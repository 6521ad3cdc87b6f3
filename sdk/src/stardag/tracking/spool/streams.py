"""The streams of a spool: made, taken over, told apart.

A directory appears whole, header and lock included.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

from stardag.tracking.spool.reader import last_sequence
from stardag.tracking.spool.writer import Spool, out_of_the_way

FORMAT = 1
"""Version of the files of a stream. Another one is for another version of this software to read."""
_PRIVATE = 0o700
_UNBOUNDED = 1 << 62  # what is known of a dead writer is little, and must not be lost


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
    traced: bool = False
    """Whether they are for a trace collector, too."""
    format: int = FORMAT
    """Version of what is in the directory."""


def make_spool(spool: Path) -> None:
    """Make the directory of a spool, and those it is in, where they are missing.

    Nobody else may read in any of them, down from the state directory. Raises `OSError`.
    """
    # a directory at a time: `mode` is not for the parents that are made on the way
    for directory in (spool.parent.parent, spool.parent, spool):
        directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)


def create_stream(spool: Path, header: StreamHeader, *, max_bytes: int) -> Spool:
    """Start the stream `header.stream_id` in the directory `spool`, made if needed.

    Raises `OSError` if that can't be done.
    """
    partial = spool / f".{header.stream_id}"
    make_spool(spool)
    try:
        partial.mkdir(mode=_PRIVATE)
    except FileNotFoundError:  # a sender took the spool, which was empty, for one not used any more
        spool.mkdir(mode=_PRIVATE, exist_ok=True)
        partial.mkdir(mode=_PRIVATE)
    lock = out_of_the_way(_open_lock(partial))
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
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
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


def boot_id() -> str:
    """Return what tells this run of this machine's kernel from any other; empty if unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _open_lock(directory: Path) -> int:
    return os.open(directory / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_uuid(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False
