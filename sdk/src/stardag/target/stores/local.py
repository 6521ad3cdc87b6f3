"""Objects as files of the local file system."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class LocalStore:
    """Files by path. A write goes to a file beside its place and is renamed into it."""

    def uri(self, path: str) -> str:
        """Return the path itself."""
        return path

    def exists(self, path: str) -> bool:
        """Return whether there is something at `path`."""
        return os.path.exists(path)  # noqa: PTH110 - half the cost of Path's, on the hot path

    def reader(self, path: str) -> IO[bytes]:
        """Open the file."""
        return open(path, "rb")  # noqa: PTH123

    @contextmanager
    def writer(self, path: str) -> Generator[IO[bytes]]:
        """Open a hidden file beside `path`, and rename it at the end. Makes directories."""
        partial = partial_path(path)
        with open_new(partial) as file:
            try:
                yield file
                file.close()
                os.replace(partial, path)  # noqa: PTH105
            except BaseException:
                os.unlink(partial)  # noqa: PTH108
                raise

    def delete(self, path: str) -> None:
        """Remove the file, if there is one."""
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108


def partial_path(path: str) -> str:
    """Return a fresh hidden name beside `path`, on the same file system."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name[:200]}.{secrets.token_hex(6)}.partial")  # noqa: PTH118


def open_new(path: str) -> IO[bytes]:
    """Open a file that must not exist yet, making the directories it needs."""
    try:
        return open(path, "xb")  # noqa: PTH123
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        return open(path, "xb")  # noqa: PTH123
