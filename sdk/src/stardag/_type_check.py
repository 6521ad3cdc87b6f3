"""Whether a value of one declared type may stand where another is declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

_UNIONS = (Union, UnionType)


def may_be(actual: Any, expected: Any) -> bool:  # noqa: PLR0911 - one return a rule
    """Return whether values declared as `actual` can be ones declared as `expected`.

    False only when the types say so for certain: whatever can't be told is allowed.
    """
    actual, expected = _bare(actual), _bare(expected)
    if _says_nothing(actual) or _says_nothing(expected) or actual == expected:
        return True
    if get_origin(actual) in _UNIONS:
        return any(may_be(member, expected) for member in get_args(actual))
    if get_origin(expected) in _UNIONS:
        return any(may_be(actual, member) for member in get_args(expected))
    actual_class, expected_class = get_origin(actual) or actual, get_origin(expected) or expected
    if not (isinstance(actual_class, type) and isinstance(expected_class, type)):
        return True
    if (actual_class, expected_class) in _PROMOTIONS:
        return True
    try:
        related = issubclass(actual_class, expected_class)
    except TypeError:  # a protocol that can't be checked
        return True
    return related and _arguments_may_be(actual, expected, expected_class)


_PROMOTIONS = {(int, float), (int, complex), (float, complex)}  # PEP 484's numeric tower


def _arguments_may_be(actual: Any, expected: Any, expected_class: type) -> bool:
    ours, theirs = get_args(actual), get_args(expected)
    comparable = expected_class is tuple or issubclass(expected_class, (Sequence, Mapping, set))
    if not comparable or len(ours) != len(theirs):
        return True
    return all(may_be(a, e) for a, e in zip(ours, theirs, strict=True))


def _bare(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[0]
    return NoneType if annotation is None else annotation


def _says_nothing(annotation: Any) -> bool:
    return annotation in (Any, object, ...) or isinstance(annotation, (TypeVar, str))
