"""What a value holds: one definition for all who look for tasks inside of values."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Mapping, Set
from typing import Any, cast

from pydantic import BaseModel

_LEAVES = frozenset[type]({str, int, float, bool, bytes, type(None)})


def children(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return what a value holds directly, each with its key, index or name; None for a leaf.

    Mappings, sequences, sets, Pydantic models (with their extra and computed fields) and
    dataclasses hold something; everything else is a leaf.
    """
    if type(value) in _LEAVES:
        return None
    if isinstance(value, (list, tuple, deque, Set)):
        return enumerate(cast("Iterable[Any]", value))
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value).items()
    if isinstance(value, BaseModel):
        cls = type(value)
        names = (*cls.model_fields, *cls.model_computed_fields, *(value.model_extra or ()))
        return [(name, getattr(value, name)) for name in names]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    return None
