"""Whether a value of one declared type may stand where another is declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Complex, Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, cast, get_args, get_origin


def may_be(actual: Any, expected: Any) -> bool:
    """Return whether values declared as `actual` can be ones declared as `expected`.

    False only when the types say so for certain: whatever can't be told is allowed, such as a
    value declared as a base of the class that is expected.
    """
    return any(_one_may_be(a, e) for a in _alternatives(actual) for e in _alternatives(expected))


def _alternatives(annotation: Any) -> list[Any]:
    """Return the types of which a value may have any; names for the same are resolved."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        members = get_args(annotation)
    elif origin is Annotated:
        members = get_args(annotation)[:1]
    elif type(annotation).__name__ == "TypeAliasType":  # Python's own, or a backport of it
        members = (annotation.__value__,)
    elif isinstance(annotation, NewType):
        members = (annotation.__supertype__,)
    elif isinstance(annotation, TypeVar) and annotation.__bound__ is not None:
        members = (annotation.__bound__,)
    elif isinstance(annotation, TypeVar) and annotation.__constraints__:
        members = annotation.__constraints__
    else:
        return [NoneType if annotation is None else annotation]
    return [inner for member in members for inner in _alternatives(member)]


def _one_may_be(actual: Any, expected: Any) -> bool:
    if actual == expected:
        return True
    if get_origin(actual) is Literal or get_origin(expected) is Literal:
        return _literal_may_be(actual, expected)
    ours, theirs = _class_of(actual), _class_of(expected)
    if ours is None or theirs is None:
        return True
    if issubclass(ours, _TOWER.get(theirs, ())):
        return True
    try:
        related = issubclass(ours, theirs) or issubclass(theirs, ours)
    except TypeError:  # a protocol that can't be checked
        return True
    return related and _contents_may_be(actual, expected)


_TOWER: dict[type, type] = {int: Integral, float: Real, complex: Complex}
"""PEP 484 takes an int for a float; so does everybody, and numpy's numbers as well."""


def _literal_may_be(actual: Any, expected: Any) -> bool:
    if get_origin(actual) is get_origin(expected):
        return not {*get_args(actual)}.isdisjoint(get_args(expected))
    if get_origin(actual) is Literal:
        return any(may_be(type(value), expected) for value in get_args(actual))
    return any(may_be(actual, type(value)) for value in get_args(expected))


def _class_of(annotation: Any) -> type | None:
    """Return the class of the values; None where the annotation doesn't tell."""
    cls = _generic(annotation)[0] or annotation
    if cls in (Any, object) or not isinstance(cls, type) or getattr(cls, "_is_protocol", False):
        return None
    is_typed_dict = hasattr(cls, "__total__") and issubclass(cls, dict)
    return dict if is_typed_dict else cast("type", cls)


def _generic(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the origin and the arguments of a parametrized type, Pydantic's among them."""
    metadata: dict[str, Any] = getattr(annotation, "__pydantic_generic_metadata__", None) or {}
    if metadata.get("origin"):
        return metadata["origin"], metadata["args"]
    return get_origin(annotation), get_args(annotation)


def _contents_may_be(actual: Any, expected: Any) -> bool:
    (ours, our_arguments), (theirs, their_arguments) = _generic(actual), _generic(expected)
    is_same = ours is theirs or (_is_a(ours, Mapping) and _is_a(theirs, Mapping))
    if is_same and ... not in (*our_arguments, *their_arguments):
        if len(our_arguments) == len(their_arguments):
            return all(map(may_be, our_arguments, their_arguments))
        return ours is not tuple or not our_arguments or not their_arguments
    expected_items = _items(expected)
    return not expected_items or all(
        any(may_be(item, expected_item) for expected_item in expected_items)
        for item in _items(actual)
    )


def _items(annotation: Any) -> tuple[Any, ...]:
    """Return the types of what iterating over a value gives; none where it doesn't tell."""
    if annotation is str:
        return (str,)
    if annotation is bytes:
        return (int,)
    origin, arguments = _generic(annotation)
    if origin is tuple:
        return tuple(a for a in arguments if a is not ...)
    known = _is_a(origin, Mapping) or (_is_a(origin, Iterable) and len(arguments) == 1)
    return arguments[:1] if known else ()


def _is_a(cls: Any, base: type) -> bool:
    return isinstance(cls, type) and issubclass(cls, base)
