"""Objects in the memory of this process, for tests."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from stardag.target._store import Store

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence


class MemoryStore(Store):
    """Bytes by path, gone with the store."""

    def __init__(self, *, write_once: bool = False) -> None:
        """Make an empty store; with `write_once`, a second write of an object is dropped."""
        self._objects: dict[str, bytes] = {}
        self._write_once = write_once

    def uri(self, path: str) -> str:
        """Return `memory://` and the path."""
        return f"memory://{path}"

    def exists(self, path: str) -> bool:
        """Return whether there is an object at `path`."""
        return path in self._objects

    def exists_many(self, paths: Sequence[str]) -> list[bool]:
        """Look each up."""
        return [path in self._objects for path in paths]

    def reader(self, path: str) -> IO[bytes]:
        """Open the object as it is now."""
        try:
            return io.BytesIO(self._objects[path])
        except KeyError:
            raise FileNotFoundError(self.uri(path)) from None

    @contextmanager
    def writer(self, path: str) -> Generator[IO[bytes]]:
        """Collect what is written, and put it in place at the end."""
        with io.BytesIO() as buffer:
            yield buffer
            if self._write_once:
                self._objects.setdefault(path, buffer.getvalue())
            else:
                self._objects[path] = buffer.getvalue()

    def delete(self, path: str) -> None:
        """Forget the object, if there is one."""
        self._objects.pop(path, None)
