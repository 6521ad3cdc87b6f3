"""How fields take part in identity: markers, and sets that have one order."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic_core import core_schema

from stardag._errors import TaskDefinitionError
from stardag._identity import MISSING, canonical_json

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, SerializationInfo, SerializerFunctionWrapHandler
    from pydantic.fields import FieldInfo
    from pydantic_core import CoreSchema

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FieldMark:
    """How a field takes part in identity; made by `StardagField`."""

    excluded: bool = False
    compat_default: Any = MISSING


def StardagField(
    compat_default: Any = MISSING,
    hash_exclude: bool = False,
    *,
    significant: bool = True,
) -> Any:
    """Mark a field of a task or of any `StardagBaseModel`: `Annotated[T, <this>]`.

    - `hash_exclude=True` (or `significant=False`): the field has no part in the id.
    - `compat_default=V`: the field is left out of the id while its value equals V, so that
      a parameter can be added without changing the ids that exist.
    """
    excluded = hash_exclude or not significant
    if excluded and compat_default is not MISSING:
        raise TaskDefinitionError(
            "a field that has no part in the id needs no compat_default: give one of the two"
        )
    return FieldMark(excluded, compat_default)


def field_mark(field: FieldInfo) -> FieldMark:
    """Return the mark of a field, or that of an unmarked one."""
    return next((m for m in field.metadata if isinstance(m, FieldMark)), _UNMARKED)


_UNMARKED = FieldMark()


if TYPE_CHECKING:
    HashableSet = frozenset
    TaskSet = frozenset
else:

    class HashableSet(frozenset[T]):
        """A set that has one order: it is written, and identified, sorted by its items.

        As a field's type (`HashableSet[int]`) it accepts any set, list or tuple. A plain
        `set` in a task has no order of its own, and so no place in an id.
        """

        @classmethod
        def __get_pydantic_core_schema__(
            cls, source: Any, handler: GetCoreSchemaHandler
        ) -> CoreSchema:
            (item,) = get_args(source) or (Any,)
            items = core_schema.list_schema(handler.generate_schema(item))
            return core_schema.no_info_before_validator_function(
                _as_list,
                core_schema.no_info_after_validator_function(cls, items),
                serialization=core_schema.wrap_serializer_function_ser_schema(
                    _dump_sorted, info_arg=True, schema=items
                ),
            )

        def __repr__(self) -> str:
            return f"{type(self).__name__}({list(self)!r})"

    class TaskSet(HashableSet[T]):
        """An unordered set of tasks, written and identified in the order of their ids."""


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    raise ValueError("a set, list or tuple is needed")


def _dump_sorted(
    value: frozenset[Any], dump: SerializerFunctionWrapHandler, info: SerializationInfo
) -> Any:
    """Write the items in their own order or, where they have none, in that of their JSON."""
    # sets do compare, but a subset is no order
    if not any(isinstance(item, frozenset) for item in value):
        with suppress(TypeError):
            return dump(sorted(value))
    items = dump(list(value))
    return sorted(items, key=canonical_json) if info.mode == "json" else items
