"""Leases by locked files: for builds on one machine, or on one shared file system."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from stardag.build.own_descriptors import own_descriptors


class FileLocks:
    """Leases of builds that share a directory; no server is needed.

    A lease is a lock on a file (`flock`), which the system gives up when its holder dies, however
    it dies, and whatever it has forked. On NFS it holds between machines as far as NFS's own locks
    do.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        """Use `directory`, which is made when it is needed; by default, one of the user's own."""
        self._directory = Path(directory) if directory is not None else _default_directory()

    def acquire(self, name: str) -> FileLease | None:
        """Return the lease called `name`, or None at once if somebody else holds it.

        Raises `OSError` if the directory can't be used.
        """
        path = self._directory / name[:2] / f"{name}.lock"
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # the folder was removed meanwhile
                with own_descriptors() as own:
                    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                    own.add(descriptor)
                lease = FileLease(path, descriptor)
                if not lease.lock():
                    return None
                if lease.is_current:
                    return lease
                lease.close()


class FileLease:
    """A lock on an open file, which is among this process's `own_descriptors`."""

    lasts = True
    """It has no end of its own."""
    token = 0
    """It needs none: it lasts as long as its process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Take charge of an open file."""
        self._path = path
        self._descriptor = descriptor

    def lock(self) -> bool:
        """Return whether the file is locked now; one that isn't is closed."""
        import fcntl  # not on every platform

        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            return False
        return True

    @property
    def is_current(self) -> bool:
        """Whether the locked file is still the one at the path: its last holder removes it."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        ours = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def release(self) -> None:
        """Remove the file while nobody else can have locked it, and give the lock up."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Give the lock up."""
        with own_descriptors() as own:
            own.discard(self._descriptor)
            os.close(self._descriptor)


def _default_directory() -> Path:
    from stardag.config import get_config

    return get_config().tracking.state_dir / "locks"
