"""What every serializer refuses, said in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stardag._errors import SerializerError

if TYPE_CHECKING:
    from stardag.target._file import FileSystemTarget


def wrong_type(target: FileSystemTarget[Any], held: str, obj: object) -> SerializerError:
    """Return the error for a value that is not what the target holds, such as `a Series`."""
    return SerializerError(f"{target.uri} holds {held}, not {type(obj).__qualname__}")


def unreadable(target: FileSystemTarget[Any], reason: object) -> SerializerError:
    """Return the error for content that is something else than the serializer writes."""
    return SerializerError(f"{target.uri} can't be read: {reason}")
