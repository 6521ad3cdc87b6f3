"""Tasks that were written where a field's type says nothing of what is read there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast, get_args


def is_untyped(annotation: Any) -> bool:
    """Return whether values of any kind may be somewhere in a field of this type."""
    return annotation in _UNTYPED or any(map(is_untyped, get_args(annotation)))


_UNTYPED: tuple[Any, ...] = (Any, object, list, tuple, dict)


def with_members(
    value: Any, describes: Callable[[Any], bool], read: Callable[[Any], Any], annotation: Any = Any
) -> Any:
    """Return a JSON value with what `read` makes of each body in it that `describes` knows.

    The value itself is read as one only if the field's type admits anything.
    """
    if annotation in (Any, object) and describes(value):
        return read(value)
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: with_members(item, describes, read) for key, item in items}
    if isinstance(value, list):
        return [with_members(item, describes, read) for item in cast("list[Any]", value)]
    return value
