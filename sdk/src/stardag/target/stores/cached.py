"""A remote store whose objects are kept on the local disk once they have been read."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from stardag.target._store import Store

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from stardag.target._store import StoredObject
    from stardag.target.stores.disk_cache import DiskCache
    from stardag.target.stores.remote import RemoteStore


class CachedStore(Store):
    """The objects of a remote store, read through a cache.

    A read asks the store for the object's version, and fetches it only if the cache hasn't got
    that version: what is read is never older than the moment it was opened. Everything else
    goes to the store.
    """

    def __init__(self, store: RemoteStore, cache: DiskCache) -> None:
        """Read the objects of `store` through `cache`, which other stores may share."""
        self._store = store
        self._cache = cache

    def reader(self, path: str) -> IO[bytes]:
        """Open the cached copy of the object's version, fetching it first if need be."""
        uri = self.uri(path)

        def fetch(into: IO[bytes]) -> str:
            return f"{uri} {self._store.fetch(path, into)}"

        return self._cache.get(f"{uri} {self._store.version(path)}") or self._cache.add(fetch)

    def uri(self, path: str) -> str:
        """Return what the object is called in the store."""
        return self._store.uri(path)

    def exists(self, path: str) -> bool:
        """Ask the store."""
        return self._store.exists(path)

    def exists_many(self, paths: Sequence[str]) -> list[bool]:
        """Ask the store."""
        return self._store.exists_many(paths)

    def list_objects(self, folder: str) -> Iterator[StoredObject]:
        """Ask the store."""
        return self._store.list_objects(folder)

    def writer(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Write to the store."""
        return self._store.writer(path)

    @contextmanager
    def path_for_writing(self, path: str) -> Generator[Path]:
        """Write to the store."""
        with self._store.path_for_writing(path) as local:
            yield local

    def delete(self, path: str) -> None:
        """Delete from the store; a cached copy is not read any more."""
        self._store.delete(path)
