"""What the rest of Stardag asks of a target and of a serializer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from stardag.target._file import FileSystemTarget

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)


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


@runtime_checkable
class SaveableTarget(Target, Protocol[T_contra]):
    """A target that a value can be written to."""

    def save(self, obj: T_contra) -> None:
        """Write `obj` as the whole of the target."""
        ...


@runtime_checkable
class LoadableSaveableTarget(LoadableTarget[T], SaveableTarget[T], Protocol[T]):
    """A target that holds one value, and takes another."""


class Serializer(Protocol[T]):
    """Writes a value to a target and reads it back.

    One that can also read formats that its type was written in before has a method
    `older_formats()` returning the serializer of each by its file name extension: a target whose
    own file is missing is then read from a file beside it that has such an extension.
    """

    def dump(self, obj: T, target: FileSystemTarget[Any]) -> None:
        """Write `obj` as the whole content of `target`.

        Raises `SerializerError` if it can't be written so that `load` would return the same.
        """
        ...

    def load(self, target: FileSystemTarget[Any]) -> T:
        """Return the value that the content of `target` stands for.

        Raises `SerializerError` if the content is something else.
        """
        ...

    def get_default_extension(self) -> str | None:
        """Return the file name extension for this format, without a dot, or None."""
        ...


class SelfSerializing(Protocol):
    """A class whose values write and read themselves: no serializer need be named for it."""

    def dump(self, target: FileSystemTarget[Any]) -> None:
        """Write the value as the whole content of `target`."""
        ...

    @classmethod
    def load(cls, target: FileSystemTarget[Any]) -> Self:
        """Return the value that the content of `target` stands for."""
        ...
