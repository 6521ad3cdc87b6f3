"""What a store over a network adds: objects are fetched whole, and have versions."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from stardag.target._store import Store, scratch_path

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

MEMORY_LIMIT = 8 * 2**20
"""Bytes of an object that are held in memory; a larger one is held on the local disk."""


class RemoteStore(Store):
    """A store whose objects are fetched from elsewhere, so that a cache of them pays.

    An object is fetched whole when it is opened: what is read is one version of it, and can be
    read from any position.
    """

    @abstractmethod
    def fetch(self, path: str, into: IO[bytes]) -> str:
        """Write the object's content to `into` and return the version that it is of.

        Raises `FileNotFoundError` if there is no object, and `OSError` if it could not be
        fetched whole.
        """

    @abstractmethod
    def version(self, path: str) -> str:
        """Return the object's version: a text that is another one for other content.

        Raises `FileNotFoundError` if there is no object.
        """

    @contextmanager
    def reader(self, path: str) -> Generator[IO[bytes]]:
        """Fetch the object, and open the copy."""
        with tempfile.SpooledTemporaryFile(MEMORY_LIMIT) as copy:
            self.fetch(path, copy)
            copy.seek(0)
            yield copy

    @contextmanager
    def path_for_reading(self, path: str) -> Generator[Path]:
        """Fetch the object to a temporary path."""
        with scratch_path(path) as local:
            with local.open("wb") as copy:
                self.fetch(path, copy)
            yield local
