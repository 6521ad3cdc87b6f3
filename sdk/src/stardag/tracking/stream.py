"""The event stream of this process: one, however many builds and threads it has.

A stream has its own spool directory and numbering. It is opened by the first event,
anew in a child after a fork, and anew between builds once it has grown; where they overlap, a
grown one is left to its builds, and the next has one of its own: see `Route`.
"""

from __future__ import annotations

import errno
import math
import os
import threading
import time
import uuid
import weakref
from pathlib import Path
from typing import Literal, NamedTuple

from stardag.tracking import events
from stardag.tracking.spool.asset_files import write_asset
from stardag.tracking.spool.delivery import read_delivery
from stardag.tracking.spool.streams import StreamHeader, boot_id, create_stream
from stardag.tracking.spool.writer import Spool, force_to_disk

Fsync = Literal["interval", "never", "always"]

_FSYNC_INTERVAL_S = 0.1
_REOPEN_INTERVAL_S = 1.0
_END_BYTES = 8 << 10  # a reason has up to 4 KiB


class StreamPosition(NamedTuple):
    """A place in a stream: its directory and the number of an event."""

    directory: Path
    sequence: int


class EventStream:
    """Appends events to this process's spool. Safe for use by several threads.

    Not for use in a signal handler. An event that can't be kept is counted, and the
    count is recorded as soon as writing works again.
    """

    def __init__(
        self,
        spool: Path,
        *,
        client: str,
        host: str,
        address: str | None,
        traced: bool,
        max_bytes: int,
        fsync: Fsync,
    ) -> None:
        """Write below the directory `spool`, which is made when the first event comes."""
        self.failure: OSError | None = None
        """Why the last event that was not kept was not."""
        self._directory = spool
        self._client = client
        self._host = host
        self._address = address
        self._traced = traced
        self._max_bytes = max_bytes
        self._force_every = {"interval": _FSYNC_INTERVAL_S, "never": math.inf, "always": 0.0}[fsync]
        self._builds = 0
        self._begin_process()
        _streams.add(self)

    def append(self, build: bytes, body: bytes, kind: int) -> bool:
        """Add an event of `build`, encoded by `events.event`; False if it could not be kept.

        Raises `OSError` if it is kept but the disk, asked to, does not force it.
        """
        reserve = kind in events.ENDS
        with self._lock:
            try:
                spool = self._spool or self._open()
                # only ahead of what will be kept, or counting would use up the reserve
                if self._lost and spool.has_room(len(body), reserve=reserve):
                    self._record_losses(spool)
                spool.append(body, reserve=reserve)
            except OSError as error:
                self._lost[build] = self._lost.get(build, 0) + 1
                self.failure = error
                if error.errno == errno.EBADF:
                    self._abandon()
                return False
            if (now := time.monotonic()) < self._force_at:
                return True
            self._force_at = now + self._force_every
        self.force()
        return True

    def keep_asset(self, draft: bytes, content: bytes) -> None:
        """Keep an asset until it is delivered, given as in `asset_files`. Raises `OSError`."""
        with self._lock:
            spool = self._spool or self._open()
            spool.take_share(len(draft) + len(content))
            self._assets += 1
            number = self._assets
        write_asset(spool.directory, number, draft, content)

    def force(self) -> None:
        """Force all that was appended to disk, unless the policy is `never`. Raises `OSError`.

        Done without the lock, so that a slow disk delays one thread only.
        """
        with self._lock:
            if self._spool is None or self._force_every == math.inf:
                return
            handle = self._spool.duplicate_handle()
        try:
            force_to_disk(handle)
        finally:
            os.close(handle)

    def define(self, task: bytes) -> bool:
        """Return True once for each task in a stream: its definition is to be sent."""
        if task in self._defined:
            return False
        self._defined.add(task)
        return True

    def forget(self, task: bytes) -> None:
        """Take back `define`: the definition could not be kept."""
        self._defined.discard(task)

    @property
    def is_outgrown(self) -> bool:
        """Whether builds that run have used up so much that one which starts goes elsewhere."""
        return self._builds > 0 and self._spool is not None and self._is_grown(self._spool)

    def end_if_idle(self) -> bool:
        """Close what no build uses any more; return whether that is so."""
        with self._lock:
            if self._builds == 0 and self._spool is not None:
                self._finish(self._spool)
            return self._builds == 0

    def begin_build(self) -> None:
        """Note that a build of this process starts."""
        with self._lock:
            if self._builds == 0 and self._spool is not None and self._is_grown(self._spool):
                self._finish(self._spool)
            if self._spool is not None:
                self._spool.keep_ballast()
            self._builds += 1

    def ensure_room_for_end(self) -> None:
        """Let the end of a build be kept, and what is lost of it, where no room was left.

        A build without its end would be shown as one whose process died.
        """
        with self._lock:
            if self._spool is not None:
                self._spool.ensure_room(_END_BYTES)
                if self._lost:
                    self._spool.drop_ballast()

    def end_build(self) -> None:
        """Note that a build of this process ended."""
        with self._lock:
            self._builds -= 1

    def check(self, build: bytes) -> None:
        """See whether the stream is still where it was made, and if not, go on with a new one.

        Somebody may remove the state directory while a build runs. What was in it counts as lost
        by `build`, but for what was delivered when this looked before.
        """
        with self._lock:
            spool = self._spool
            if spool is None:
                return
            if spool.directory.exists():
                self._delivered = read_delivery(spool.directory).acked
                return
            self._lost[build] = self._lost.get(build, 0) + spool.sequence - self._delivered
            self.failure = FileNotFoundError(f"{spool.directory} was removed")
            spool.release()
            self._abandon()

    def position(self) -> StreamPosition | None:
        """Return where the last event is, or None if there is none."""
        spool = self._spool
        return StreamPosition(spool.directory, spool.sequence) if spool is not None else None

    def _begin_process(self) -> None:
        self._lock = threading.Lock()
        self._spool: Spool | None = None
        self._lost: dict[bytes, int] = {}
        self._defined: set[bytes] = set()
        self._assets = 0
        self._delivered = 0
        self._force_at = time.monotonic() + self._force_every
        self._reopen_at = 0.0

    def _open(self) -> Spool:
        now = time.monotonic()
        if now < self._reopen_at:
            raise OSError("the spool could not be opened a moment ago")
        self._reopen_at = now + _REOPEN_INTERVAL_S
        header = StreamHeader(
            stream_id=str(uuid.uuid4()),
            client=self._client,
            host=self._host,
            pid=os.getpid(),
            boot_id=boot_id(),
            address=self._address,
            traced=self._traced,
        )
        self._spool = create_stream(self._directory, header, max_bytes=self._max_bytes)
        self._spool.keep_ballast()
        self._delivered = 0
        return self._spool

    def _record_losses(self, spool: Spool) -> None:
        for build, count in list(self._lost.items()):
            lost = events.event(build, b"", events.EVENTS_LOST, 0, events.events_lost(count))
            spool.append(lost, reserve=True)
            del self._lost[build]

    def _abandon(self) -> None:
        """Go on with a new stream, as somebody has closed the files of this one.

        Its lock went with them, so the sender takes its writer for dead, and ends it.
        """
        self._spool = None
        self._defined.clear()
        self._reopen_at = 0.0

    def _is_grown(self, spool: Spool) -> bool:
        return spool.used_bytes >= self._max_bytes // 4

    def _finish(self, spool: Spool) -> None:
        try:
            spool.finish()
        except OSError:
            spool.release()  # without an end mark, which whoever reads it will add
        self._spool = None
        self._defined.clear()
        self._reopen_at = 0.0

    # --- around a fork ---

    def _before_fork(self) -> None:
        self._lock.acquire()

    def _after_fork_in_parent(self) -> None:
        self._lock.release()

    def _after_fork_in_child(self) -> None:
        if self._spool is not None:
            self._spool.release()  # the child's copies only; the parent's lock stays
        self._begin_process()


_streams: weakref.WeakSet[EventStream] = weakref.WeakSet()


def _before_fork() -> None:
    for stream in _streams:
        stream._before_fork()


def _after_fork_in_parent() -> None:
    for stream in _streams:
        stream._after_fork_in_parent()


def _after_fork_in_child() -> None:
    for stream in _streams:
        stream._after_fork_in_child()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
