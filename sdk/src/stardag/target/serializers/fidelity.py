"""Whether what was read is what was written, and where they differ."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Set
from operator import ne
from reprlib import repr as brief
from typing import Any, NamedTuple, cast

from pydantic import SecretBytes, SecretStr
from pydantic_core import PydanticSerializationError, to_jsonable_python

from stardag._nesting import children


class Difference(NamedTuple):
    """The first place at which two values differ."""

    place: str
    """Where it is, as an expression after the value's name: `['a'][0]`; empty for all of it."""
    written: Any
    read: Any

    def __str__(self) -> str:
        kinds = type(self.written).__qualname__, type(self.read).__qualname__
        return f"{brief(self.written)} ({kinds[0]}) as {brief(self.read)} ({kinds[1]})"


def first_difference(
    written: Any, read: Any, place: str = "", *, untyped: bool = False
) -> Difference | None:
    """Return where a value that was read differs from the one written, or None.

    Numbers are compared by value, NaN is the same as NaN, and a list as a tuple with the same
    items. What has no equality of its own is taken for the same, if it is of the same type. With
    `untyped`, a value is the same as what JSON says of it: that is how it is read where its
    type says nothing, such as `Any`.
    """
    equal = _equal(written, read)
    if equal or (untyped and _is_told_by_json(written, read)):
        return None
    parts = _parts(written, read, untyped)
    if parts is None:
        return None if equal is None else Difference(place, written, read)
    for at, own, other in parts:
        if found := first_difference(own, other, place + at, untyped=untyped):
            return found
    return None


def _equal(written: Any, read: Any) -> bool | None:
    """Return whether two values are equal, or None if they don't tell."""
    if type(written) is type(read) and type(written).__eq__ is object.__eq__:
        return None
    try:
        # NaN alone is not equal to itself
        return bool(written == read) or bool(ne(written, written) and ne(read, read))
    except (TypeError, ValueError):  # such as an array, which is compared item by item
        return None


_OF_JSON = (str, list, dict)
_BY_PARTS = (list, tuple, deque, Mapping)
_HIDDEN = (SecretStr, SecretBytes)


def _is_told_by_json(written: Any, read: Any) -> bool:
    """Return whether a value was read as its JSON."""
    if type(read) not in _OF_JSON or isinstance(written, (*_BY_PARTS, *_HIDDEN)):
        return False
    try:
        told = to_jsonable_python(written, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError):
        return False
    return told is not written and bool(told == read)


def _parts(written: Any, read: Any, untyped: bool) -> Iterable[tuple[str, Any, Any]] | None:
    """Return what two values hold, side by side; None if they can't be compared by that."""
    if isinstance(written, Mapping) and isinstance(read, Mapping):
        own, other = cast("Mapping[Any, Any]", written), cast("Mapping[Any, Any]", read)
        return _items(own, other, untyped)
    sequences = (list, tuple, deque)
    if isinstance(written, sequences) and isinstance(read, sequences):
        if len(cast("list[Any]", written)) != len(cast("list[Any]", read)):
            return None
    elif isinstance(written, Set) or type(read) is not type(cast("Any", written)):
        return None
    own, other = children(cast("Any", written)), children(cast("Any", read))
    if own is None or other is None:
        return None
    return ((f"[{key!r}]", a, b) for (key, a), (_, b) in zip(own, other, strict=True))


def _as_key(written: Any, read: Any) -> Any:
    """Return a key as JSON has it, where it was read as that: a number as text."""
    if type(read) is not str or isinstance(written, str):
        return written
    (told,) = to_jsonable_python({written: None})
    return told


def _items(
    written: Mapping[Any, Any], read: Mapping[Any, Any], untyped: bool
) -> Iterable[tuple[str, Any, Any]] | None:
    if len(written) != len(read):
        return None
    pairs = zip(written.items(), read.items(), strict=True)
    return (part for (key, a), (other, b) in pairs for part in _item(key, other, a, b, untyped))


def _item(key: Any, other: Any, a: Any, b: Any, untyped: bool) -> Iterable[tuple[str, Any, Any]]:
    yield f" key {key!r}", _as_key(key, other) if untyped else key, other
    yield f"[{key!r}]", a, b
