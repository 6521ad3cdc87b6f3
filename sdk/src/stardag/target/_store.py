"""The port that every kind of storage fills: objects by path."""

from __future__ import annotations

import shutil
import tempfile
from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from stardag._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from contextlib import AbstractContextManager

CONCURRENT_REQUESTS = 32
"""Most requests that a store has under way for one question about many objects."""


class StoredObject(NamedTuple):
    """An object as a listing tells of it."""

    path: str
    size: int
    """Bytes."""
    modified: float
    """When it was written, in seconds since the epoch, by the store's clock."""


class Store(ABC):
    """Objects by path. One contract suite runs on every store.

    Every write is atomic: a reader sees the whole object or none, an exception within the
    `with` block leaves nothing behind, and of two writers at once one wins whole. A reader
    reads one version of the object from its start to its end, whatever is written meanwhile.

    A path has no scheme and no empty part; folders exist as far as objects are in them. A
    store may be used from many threads at once.
    """

    @abstractmethod
    def uri(self, path: str) -> str:
        """Return how the object at `path` is called outside the process."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Return whether there is an object at `path`; a folder is none."""

    @abstractmethod
    def reader(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Open the object for reading, from any position.

        Raises `FileNotFoundError` if there is none, on the call or on entering the block.
        """

    @abstractmethod
    def writer(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Open a new object, published when the `with` block ends without an exception."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove the object, if there is one."""

    def exists_many(self, paths: Sequence[str]) -> list[bool]:
        """Return for each path whether there is an object, in the order of the paths."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
            return list(pool.map(self.exists, paths))

    def list_objects(self, folder: str) -> Iterator[StoredObject]:
        """Yield the objects in a folder and below, those that are there all the while once each.

        Raises `ConfigError` if the store can't list, as one that does not define this.
        """
        raise ConfigError(
            f"the objects in {self.uri(folder)} can't be listed: {type(self).__name__} has no "
            "list_objects(folder)"
        )

    @contextmanager
    def path_for_reading(self, path: str) -> Generator[Path]:
        """Give the object a path on the local disk for a `with` block; it keeps its name.

        Raises `FileNotFoundError` if there is no object.
        """
        with self.reader(path) as source, scratch_path(path) as local:
            with local.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            yield local

    @contextmanager
    def path_for_writing(self, path: str) -> Generator[Path]:
        """Give a local path; the file that is there when the `with` block ends is published.

        Raises `FileNotFoundError` if nothing was written to it.
        """
        with scratch_path(path) as local:
            yield local
            with local.open("rb") as source, self.writer(path) as published:
                shutil.copyfileobj(source, published)


@contextmanager
def scratch_path(path: str) -> Generator[Path]:
    """Give a path in an own temporary directory, with the name of `path`; nothing is there."""
    with tempfile.TemporaryDirectory(prefix="stardag-") as directory:
        yield Path(directory, path.rpartition("/")[2] or "object")
