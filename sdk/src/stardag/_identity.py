"""Task ids: canonical JSON, hashed. The rules are fixed for ever.

A task's *identity JSON* is one JSON object, written with sorted keys, no spaces and
ASCII only, floats as `repr` writes them; its id is the UUIDv5 of that text. This module
knows how such a text is made and hashed; which values go into it is the business of the
models, which hand over a compiled `IdentityPlan` for each class.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum
from hashlib import sha1
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMESPACE = UUID("9ca26b27-f7ee-4044-8b3c-e335dc5778dc")
"""UUID namespace of every task id."""

_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False).encode


def canonical_json(value: Any) -> str:
    """Return the one text that stands for a JSON value.

    Raises `ValueError` for NaN and infinities and `TypeError` for what is not JSON.
    """
    return _encode(value)


def referred(value: Any) -> str | None:
    """Return the id in `{"id": "..."}`, as a task is written in JSON; None for another value."""
    if not isinstance(value, dict):
        return None
    item = cast("dict[str, Any]", value)
    key = item.get("id") if len(item) == 1 else None
    return key if isinstance(key, str) else None


def identify(identity_json: str, namespace: UUID = NAMESPACE) -> UUID:
    """Return the id that belongs to an identity JSON (RFC 9562, version 5)."""
    digest = sha1(namespace.bytes + identity_json.encode(), usedforsecurity=False).digest()
    return UUID(int=int.from_bytes(digest[:16]) & _FREE_BITS | _VERSION_5)


_FREE_BITS = ~(0xF << 76 | 0x3 << 62)  # all but version and variant
_VERSION_5 = 0x5 << 76 | 0x2 << 62

MISSING: Any = object()
"""Stands for "no such default", as None may be one."""


class Shape(Enum):
    """What kind of value a field holds, as far as its type tells."""

    SCALAR = "scalar"
    """Nothing but plain scalars."""
    ANY = "any"
    """Whatever it is, a task among others."""
    TASKS = "tasks"
    """A list or tuple of tasks."""
    TASK_SET = "task set"
    """An ordered set of tasks."""
    TASK_MAP = "task map"
    """A dict of tasks by string."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """How one significant field enters the identity."""

    name: str
    exact: frozenset[type]
    """Values of exactly these types (such as str or int) are JSON as they are."""
    shape: Shape = Shape.ANY
    compat_default: Any = MISSING
    """The field is left out while its value equals this."""


class IdentityPlan:
    """How instances of one class become identity JSON; compiled once a class."""

    __slots__ = ("_fields", "_head", "computed", "holders", "is_whole", "names")

    def __init__(
        self,
        head: Mapping[str, str],
        fields: tuple[FieldPlan, ...],
        computed: tuple[str, ...] = (),
        *,
        excluded: int = 0,
    ) -> None:
        """Make a plan from what is the same for all instances, and from the significant fields.

        `computed` names the fields that each instance computes from the others; `excluded` is
        the number of fields that have no part in the id.
        """
        self.is_whole = not (computed or excluded) and all(map(_is_plain, fields))
        """Whether the identity has every parameter, as it is."""
        self.computed = computed
        self._head = dict(head)
        self._fields = tuple((f.name, f.exact, f.shape, f.compat_default) for f in fields)
        self.names = (*(f.name for f in fields), *computed)
        """The significant fields, those computed last."""
        self.holders = tuple(f for f in fields if f.shape is not Shape.SCALAR)
        """Those that may hold tasks, or sets."""

    def payload(
        self,
        values: Mapping[str, Any],
        reference: Callable[[Any], str],
        is_task: Callable[[Any], bool],
        dump: Callable[[set[str]], Mapping[str, Any]],
    ) -> dict[str, Any]:
        """Return the identity of one instance as a JSON object.

        `values` are the instance's field values; `reference` returns the id of a task;
        `dump` dumps the named fields in JSON mode.
        """
        payload: dict[str, Any] = {**self._head}
        others: set[str] = set(self.computed)
        for name, exact, shape, compat_default in self._fields:
            value = values[name]
            if compat_default is not MISSING and value == compat_default:
                continue
            if type(value) in exact:
                payload[name] = value
            elif shape is Shape.TASKS:
                payload[name] = [{"id": reference(task)} for task in value]
            elif shape is Shape.TASK_MAP:
                payload[name] = {key: {"id": reference(task)} for key, task in value.items()}
            elif shape is Shape.TASK_SET:
                payload[name] = [{"id": key} for key in sorted(map(reference, value))]
            elif is_task(value):
                payload[name] = {"id": reference(value)}
            else:
                others.add(name)
        if others:
            payload.update(dump(others))
        return payload


def _is_plain(field: FieldPlan) -> bool:
    """Return whether the field is in every identity, as it is in any other JSON."""
    by_type = bool(field.exact) or field.shape is not Shape.ANY
    return by_type and field.compat_default is MISSING


def find_unidentifiable(value: Any, path: str) -> tuple[str, str] | None:
    """Return the path of, and what is wrong with, the first number JSON can't write."""
    if isinstance(value, float) and not math.isfinite(value):
        return path, f"the float {value} has no JSON form"
    children: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        children = [(f"{path}.{k}", v) for k, v in cast("dict[str, Any]", value).items()]
    elif isinstance(value, list):
        children = [(f"{path}[{i}]", v) for i, v in enumerate(cast("list[Any]", value))]
    return next((found for p, v in children if (found := find_unidentifiable(v, p))), None)
