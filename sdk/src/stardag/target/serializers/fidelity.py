"""Whether what was read is what was written, and where they differ."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Set
from operator import ne
from reprlib import repr as brief
from typing import Any, NamedTuple, cast

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


def first_difference(written: Any, read: Any, place: str = "") -> Difference | None:
    """Return where a value that was read differs from the one written, or None.

    Numbers are compared by value, NaN is the same as NaN, and a list as a tuple with the same
    items. What has no equality of its own is taken for the same, if it is of the same type.
    """
    equal = _equal(written, read)
    if equal:
        return None
    parts = _parts(written, read)
    if parts is None:
        return None if equal is None else Difference(place, written, read)
    for at, own, other in parts:
        if found := first_difference(own, other, place + at):
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


def _parts(written: Any, read: Any) -> Iterable[tuple[str, Any, Any]] | None:
    """Return what two values hold, side by side; None if they can't be compared by that."""
    if isinstance(written, Mapping) and isinstance(read, Mapping):
        return _items(cast("Mapping[Any, Any]", written), cast("Mapping[Any, Any]", read))
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


def _items(
    written: Mapping[Any, Any], read: Mapping[Any, Any]
) -> Iterable[tuple[str, Any, Any]] | None:
    if len(written) != len(read):
        return None
    pairs = zip(written.items(), read.items(), strict=True)
    return (
        part
        for (key, a), (other, b) in pairs
        for part in ((f" key {key!r}", key, other), (f"[{key!r}]", a, b))
    )
