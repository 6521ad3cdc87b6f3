"""File targets: an object in a store, and the serializer that gives it meaning."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Generic, Literal, TypeVar, overload

from stardag._errors import SerializerError, TargetNotFoundError
from stardag.target.stores.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager

    from stardag.target._protocols import Serializer, Store

T = TypeVar("T")

_LOCAL = LocalStore()


class FileSystemTarget(Generic[T]):
    """One object in a store. Every write is atomic: readers see all of it or nothing."""

    __slots__ = ("path", "serializer", "store")

    def __init__(self, store: Store, path: str, serializer: Serializer[T] | None = None) -> None:
        """Make the target of `path` in `store`; `load` and `save` need a serializer."""
        self.store = store
        self.path = path
        self.serializer = serializer

    @property
    def uri(self) -> str:
        """Where the object is: a path or a URI."""
        return self.store.uri(self.path)

    def exists(self) -> bool:
        """Return whether the object is there, which means the whole of it."""
        return self.store.exists(self.path)

    @overload
    def open(self, mode: Literal["r"] = "r") -> AbstractContextManager[IO[str]]: ...
    @overload
    def open(self, mode: Literal["w"]) -> AbstractContextManager[IO[str]]: ...
    @overload
    def open(self, mode: Literal["rb", "wb"]) -> AbstractContextManager[IO[bytes]]: ...
    def open(
        self, mode: Literal["r", "w", "rb", "wb"] = "r"
    ) -> AbstractContextManager[IO[str]] | AbstractContextManager[IO[bytes]]:
        """Open the object, as a context manager; text is UTF-8, line ends as they are.

        What is written is published when the `with` block ends, and not at all if it ends
        with an exception. Reading what does not exist raises `TargetNotFoundError`.
        """
        match mode:
            case "rb":
                return self._reading()
            case "wb":
                return self.store.writer(self.path)
            case "r":
                return _as_text(self._reading())
            case "w":
                return _as_text(self.store.writer(self.path))
            case _:
                raise ValueError(f"mode must be 'r', 'w', 'rb' or 'wb', not {mode!r}")

    @contextmanager
    def _reading(self) -> Generator[IO[bytes]]:
        try:
            reader = self.store.reader(self.path)
        except FileNotFoundError:
            raise TargetNotFoundError(
                f"{self.uri} does not exist: was the task that makes it built?"
            ) from None
        with reader as file:
            yield file

    def load(self) -> T:
        """Return the value that the object holds.

        Raises `TargetNotFoundError` if there is no object.
        """
        return self._needed_serializer().load(self)

    def save(self, obj: T) -> None:
        """Write `obj` as the whole of the object.

        Raises `SerializerError` if the serializer can't write it.
        """
        self._needed_serializer().dump(obj, self)

    def _needed_serializer(self) -> Serializer[T]:
        if self.serializer is None:
            raise SerializerError(
                f"the target {self.uri} has no serializer; use open(), or make it with one"
            )
        return self.serializer

    @contextmanager
    def proxy_path(self, mode: Literal["r", "w"] = "r") -> Generator[Path]:
        """Give the object a path on the local disk for a `with` block.

        For libraries that read or write files by name. "r": the path has the content. "w":
        what is at the path when the block ends becomes the object.
        """
        with tempfile.TemporaryDirectory(prefix="stardag-") as directory:
            path = Path(directory, os.path.basename(self.path) or "object")  # noqa: PTH119
            if mode == "r":
                with self.open("rb") as source, path.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
                yield path
            else:
                yield path
                with path.open("rb") as source, self.open("wb") as published:
                    shutil.copyfileobj(source, published)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileSystemTarget) and self.uri == other.uri  # pyright: ignore[reportUnknownVariableType]

    def __hash__(self) -> int:
        return hash(self.uri)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"


class LocalTarget(FileSystemTarget[T]):
    """A file of the local file system."""

    __slots__ = ()

    def __init__(
        self, path: str | os.PathLike[str], serializer: Serializer[T] | None = None
    ) -> None:
        """Make the target of the file at `path`."""
        super().__init__(_LOCAL, os.fspath(path), serializer)

    @contextmanager
    def proxy_path(self, mode: Literal["r", "w"] = "r") -> Generator[Path]:
        """Give the file's own path for reading; for writing, as any target does."""
        if mode == "w":
            with super().proxy_path("w") as path:
                yield path
        elif not self.exists():
            with self._reading():
                pass  # raises: there is nothing to read
        else:
            yield Path(self.path)


@contextmanager
def _as_text(binary: AbstractContextManager[IO[bytes]]) -> Generator[IO[str]]:
    with binary as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            text.detach()  # flushes; the block around this one closes the file
