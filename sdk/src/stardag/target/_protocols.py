"""What the rest of Stardag asks of a target, of a store and of a serializer."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from stardag.target._file import FileSystemTarget

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@runtime_checkable
class Target(Protocol):
    """Something that exists or not; the only truth on whether a task is complete."""

    def exists(self) -> bool:
        """Return whether the whole of it is there."""
        ...


@runtime_checkable
class LoadableTarget(Target, Protocol[T_co]):
    """A target that holds one value."""

    def load(self) -> T_co:
        """Return the value.

        Raises `TargetNotFoundError` if there is none yet.
        """
        ...


class Store(Protocol):
    """Objects by path. One contract suite runs on every store.

    Every write is atomic: a reader sees the whole object or none, an exception within the
    `with` block leaves nothing behind, and of two writers at once one wins whole.
    """

    def uri(self, path: str) -> str:
        """Return how the object at `path` is called outside the process."""
        ...

    def exists(self, path: str) -> bool:
        """Return whether there is an object at `path`."""
        ...

    def reader(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Open the object for reading.

        Raises `FileNotFoundError` if there is none.
        """
        ...

    def writer(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Open a new object, published when the `with` block ends without an exception."""
        ...

    def delete(self, path: str) -> None:
        """Remove the object, if there is one."""
        ...


class Serializer(Protocol[T]):
    """Writes a value to a target and reads it back."""

    def dump(self, obj: T, target: FileSystemTarget[Any]) -> None:
        """Write `obj` as the whole content of `target`."""
        ...

    def load(self, target: FileSystemTarget[Any]) -> T:
        """Return the value that the content of `target` stands for."""
        ...

    def get_default_extension(self) -> str | None:
        """Return the file name extension for this format, without a dot, or None."""
        ...
