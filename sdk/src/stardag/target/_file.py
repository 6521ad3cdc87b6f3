"""File targets: an object in a store, and the serializer that gives it meaning."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Generic, Literal, TypeVar, overload

from stardag._errors import SerializerError, TargetNotFoundError
from stardag.target._stored import StoredTarget
from stardag.target.stores.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from stardag.target._protocols import Serializer
    from stardag.target._store import Store

T = TypeVar("T")
R = TypeVar("R")

_LOCAL = LocalStore()


class FileSystemTarget(StoredTarget, Generic[T]):
    """One object in a store. Every write is atomic: readers see all of it or nothing."""

    __slots__ = ("serializer",)

    def __init__(self, store: Store, path: str, serializer: Serializer[T] | None = None) -> None:
        """Make the target of `path` in `store`; `load` and `save` need a serializer."""
        super().__init__(store, path)
        self.serializer = serializer

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

        What is written is published when the `with` block ends, which closes the file, and not
        at all if it ends with an exception. Reading what does not exist raises
        `TargetNotFoundError`.
        """
        match mode:
            case "rb":
                return self._found(self.store.reader)
            case "wb":
                return self.store.writer(self.path)
            case "r":
                return _as_text(self._found(self.store.reader))
            case "w":
                return _as_text(self.store.writer(self.path))
            case _:
                raise ValueError(f"mode must be 'r', 'w', 'rb' or 'wb', not {mode!r}")

    def proxy_path(self, mode: Literal["r", "w"] = "r") -> AbstractContextManager[Path]:
        """Give the object a path on the local disk for a `with` block.

        For libraries that read or write files by name; the path ends in the object's own name.
        "r": the path has the content, and must not be changed. "w": the file that is at the
        path when the block ends becomes the object, unless it ends with an exception. Reading
        what does not exist raises `TargetNotFoundError`, writing nothing `FileNotFoundError`,
        and making a directory there `IsADirectoryError`.
        """
        match mode:
            case "r":
                return self._found(self.store.path_for_reading)
            case "w":
                return self._path_for_writing()
            case _:
                raise ValueError(f"mode must be 'r' or 'w', not {mode!r}")

    def load(self) -> T:
        """Return the value that the object holds.

        Raises `TargetNotFoundError` if there is no object.
        """
        serializer = self._needed_serializer()
        try:
            return serializer.load(self)
        except TargetNotFoundError:
            for extension, older in (self._older_formats() or {}).items():
                target = FileSystemTarget(self.store, self._with_extension(extension), older)
                if target.exists():
                    return target.load()
            raise

    def save(self, obj: T) -> None:
        """Write `obj` as the whole of the object.

        Raises `SerializerError` if the serializer can't write it.
        """
        self._needed_serializer().dump(obj, self)

    async def load_aio(self) -> T:
        """Do as `load`, in a thread."""
        import asyncio

        return await asyncio.to_thread(self.load)

    async def save_aio(self, obj: T) -> None:
        """Do as `save`, in a thread."""
        import asyncio

        await asyncio.to_thread(self.save, obj)

    def substitutes(self) -> Sequence[str]:
        """Return the paths of the object in the formats that its type was written in before."""
        formats = self._older_formats()
        return [self._with_extension(extension) for extension in formats] if formats else ()

    def _older_formats(self) -> Mapping[str, Serializer[T]] | None:
        """Return the serializers of older files by their extension, if this is named as newer."""
        formats = getattr(self.serializer, "older_formats", None)
        if formats is None or self.serializer is None:
            return None
        extension = self.serializer.get_default_extension()
        return formats() if self.path.endswith(f".{extension}") else None

    def _with_extension(self, extension: str) -> str:
        return f"{self.path.rpartition('.')[0]}.{extension}"

    def _needed_serializer(self) -> Serializer[T]:
        if self.serializer is None:
            raise SerializerError(
                f"the target {self.uri} has no serializer; use open(), or make it with one"
            )
        return self.serializer

    @contextmanager
    def _path_for_writing(self) -> Generator[Path]:
        with self.store.path_for_writing(self.path) as local:
            yield local
            if local.is_dir():
                raise IsADirectoryError(
                    f"{self.uri}: a directory was made at the path that was given for a file; use "
                    "a DirectoryTarget"
                )
            if not local.is_file():
                raise FileNotFoundError(
                    f"{self.uri}: nothing was written to the path that was given for it"
                )

    @contextmanager
    def _found(self, opened: Callable[[str], AbstractContextManager[R]]) -> Generator[R]:
        """Open the object, with an error for people if it is missing."""
        with ExitStack() as stack:
            try:
                content = stack.enter_context(opened(self.path))
            except FileNotFoundError:
                raise TargetNotFoundError(
                    f"{self.uri} does not exist: was the task that makes it built?"
                ) from None
            yield content


class LocalTarget(FileSystemTarget[T]):
    """A file of the local file system."""

    __slots__ = ()

    def __init__(
        self,
        path: str | os.PathLike[str],
        serializer: Serializer[T] | None = None,
        store: LocalStore = _LOCAL,
    ) -> None:
        """Make the target of the file at `path`; `store` says how it is written."""
        super().__init__(store, os.fspath(path), serializer)


@contextmanager
def _as_text(binary: AbstractContextManager[IO[bytes]]) -> Generator[IO[str]]:
    with binary as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            text.detach()  # flushes; the block around this one closes the file
