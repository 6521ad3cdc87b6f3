"""A target with a serializer of one's choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from stardag.target._file import FileSystemTarget

if TYPE_CHECKING:
    from stardag.target._protocols import Serializer

T = TypeVar("T")


def Serializable(wrapped: FileSystemTarget[Any], serializer: Serializer[T]) -> FileSystemTarget[T]:
    """Return the target of the same object that loads and saves it by `serializer`."""
    return FileSystemTarget(wrapped.store, wrapped.path, serializer)
