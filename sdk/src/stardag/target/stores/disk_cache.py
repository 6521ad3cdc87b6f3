"""Copies of remote objects on the local disk, bounded in size."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING

from stardag.target.stores.local import hidden_path

if TYPE_CHECKING:
    from collections.abc import Callable

ABANDONED_S = 3600.0
"""Age in seconds at which an unfinished copy is taken for that of a process that died."""


class DiskCache:
    """Immutable content by key, the least recently used dropped first.

    Any number of processes may share a directory. An entry appears whole, by a rename, and never
    changes; one that is dropped stays readable for those who have it open. Each process looks at
    the directory once it has added a sixteenth of the bound, so that is how far each may
    exceed it.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        """Use `directory`, made when it is needed, for `max_bytes` bytes at most."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._added = max_bytes  # what others have left there is unknown: look at once

    def get(self, key: str) -> IO[bytes] | None:
        """Open the content of `key`, or return None if it is not here; it counts as used now."""
        path = self._path(key)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        with suppress(FileNotFoundError):  # dropped by another process since
            os.utime(path)
        return file

    def add(self, write: Callable[[IO[bytes]], str]) -> IO[bytes]:
        """Make an entry of what `write` writes, under the key that it returns, and open it.

        What `write` raises is passed on, and leaves no entry.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        partial = Path(hidden_path(str(self._directory / "entry")))
        file = partial.open("x+b")
        try:
            key = write(file)
            size = file.tell()
            if size <= self._max_bytes:
                file.flush()
                os.fsync(file.fileno())  # or a power failure could leave the name without content
                partial.replace(self._path(key))
            file.seek(0)
        except BaseException as error:
            file.close()
            if isinstance(error, OSError) and error.filename is None:
                error.add_note(f"while a copy was being written to the cache {self._directory}")
            raise
        finally:
            partial.unlink(missing_ok=True)
        self._added += size
        if self._added * 16 > self._max_bytes:
            self._added = 0
            self._drop()
        return file

    def _path(self, key: str) -> Path:
        return self._directory / blake2b(key.encode(), digest_size=20).hexdigest()

    def _drop(self) -> None:
        """Drop the least recently used entries down to the bound, and abandoned copies."""
        total = 0
        now = time.time()
        for used, size, path in sorted(self._entries(), reverse=True):
            total += size
            abandoned = path.endswith(".partial")
            if now - used > ABANDONED_S if abandoned else total > self._max_bytes:
                with suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108

    def _entries(self) -> list[tuple[float, int, str]]:
        found: list[tuple[float, int, str]] = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    status = entry.stat()
                    found.append((status.st_mtime, status.st_size, entry.path))
        return found
