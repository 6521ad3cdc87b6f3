"""Objects as files of the local file system."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from stardag.target._store import Store, StoredObject

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence


# `os` and `open` instead of pathlib throughout: these calls are on the hot path of every build,
# and a Path costs more than the system call.
# ruff: noqa: PTH103, PTH105, PTH108, PTH112, PTH113, PTH118, PTH119, PTH120, PTH123


class LocalStore(Store):
    """Files by path. A write goes to a hidden file beside its place and is renamed into it."""

    def __init__(self, *, write_once: bool = False, fsync: bool = False) -> None:
        """Make the store.

        With `write_once`, a file that exists is never replaced: the write of a second writer
        is dropped. The file system must have hard links. With `fsync`, a `with` block ends only
        when file and name would survive a power failure.
        """
        self._write_once = write_once
        self._fsync = fsync

    def uri(self, path: str) -> str:
        """Return the path itself."""
        return path

    def exists(self, path: str) -> bool:
        """Return whether there is a file at `path`."""
        return os.path.isfile(path)

    def exists_many(self, paths: Sequence[str]) -> list[bool]:
        """Ask for each in turn: the system answers faster than threads change."""
        return [os.path.isfile(path) for path in paths]

    def reader(self, path: str) -> IO[bytes]:
        """Open the file."""
        try:
            return open(path, "rb")
        except NotADirectoryError:  # a file stands where a folder would have to
            raise FileNotFoundError(path) from None

    @contextmanager
    def writer(self, path: str) -> Generator[IO[bytes]]:
        """Open a hidden file beside `path`, and rename it at the end. Makes directories."""
        partial = hidden_path(path)
        with self._open_new(partial) as file:
            try:
                yield file
                if self._fsync:
                    file.flush()
                    os.fsync(file.fileno())
                file.close()
                self._publish(partial, path)
            except BaseException as error:
                with suppress(FileNotFoundError):
                    os.unlink(partial)
                _note(error, path)
                raise

    def delete(self, path: str) -> None:
        """Remove the file, if there is one."""
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)

    def list_objects(self, folder: str) -> Iterator[StoredObject]:
        """Yield the files, in order; links are not followed, and are no files.

        Raises `OSError` for a folder that can't be read.
        """
        for directory, folders, names in os.walk(folder, onerror=_raise_unless_missing):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(directory, name)
                with suppress(FileNotFoundError):  # gone since
                    status = os.lstat(path)
                    if stat.S_ISREG(status.st_mode):
                        yield StoredObject(path, status.st_size, status.st_mtime)

    @contextmanager
    def path_for_reading(self, path: str) -> Generator[Path]:
        """Give the file's own path: it must not be changed."""
        if not self.exists(path):
            raise FileNotFoundError(path)
        yield Path(path)

    @contextmanager
    def path_for_writing(self, path: str) -> Generator[Path]:
        """Give a path in a hidden directory beside `path`, so that a rename publishes it."""
        directory = hidden_path(path)
        self._make_directories(directory)
        try:
            local = os.path.join(directory, os.path.basename(path))
            yield Path(local)
            if self._fsync:
                _sync(local)
            self._publish(local, path)
        except OSError as error:
            _note(error, path)
            raise
        finally:
            shutil.rmtree(directory)

    def _publish(self, partial: str, path: str) -> None:
        if self._write_once:
            with suppress(FileExistsError):
                os.link(partial, path)
            os.unlink(partial)
        else:
            os.replace(partial, path)
        if self._fsync:
            _sync(os.path.dirname(path) or ".")

    def _open_new(self, path: str) -> IO[bytes]:
        """Open a file that must not exist yet, making the directories it needs."""
        try:
            return open(path, "xb")
        except FileNotFoundError:
            self._make_directories(os.path.dirname(path))
            return open(path, "xb")

    def _make_directories(self, directory: str) -> None:
        if not self._fsync:
            os.makedirs(directory, exist_ok=True)
        elif not os.path.isdir(directory):
            above = os.path.dirname(directory) or "."
            self._make_directories(above)
            os.makedirs(directory, exist_ok=True)
            _sync(above)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def hidden_path(path: str) -> str:
    """Return a fresh hidden name beside `path`, on the same file system."""
    directory, name = os.path.split(path)
    # a name may have 255 bytes, and 50 characters have 200 at most
    return os.path.join(directory, f".{name[:50]}.{secrets.token_hex(6)}.partial")


def _note(error: BaseException, path: str) -> None:
    """Note what was written when the disk was full, which the system's error doesn't say."""
    if isinstance(error, OSError) and error.filename is None:
        error.add_note(f"while {path} was being written")


def _sync(path: str) -> None:
    """Force a file's content, or a directory's names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
