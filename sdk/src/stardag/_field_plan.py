"""What a class's declaration says of its fields' part in an id."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from stardag._fields import HashableSet, TaskSet, field_mark
from stardag._identity import FieldPlan, Shape

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


def field_plans(cls: type[BaseModel]) -> Iterator[FieldPlan]:
    """Return how each significant field enters the identity."""
    decorators = cls.__pydantic_decorators__.field_serializers.values()
    custom = {name for decorator in decorators for name in decorator.info.fields}
    for name, field in cls.model_fields.items():
        mark = field_mark(field)
        if mark.excluded:
            continue
        if {name, "*"} & custom or _has_schema_of_its_own(field):
            yield FieldPlan(name, frozenset(), Shape.ANY, mark.compat_default)
        else:
            exact, shape = _exact_types(field.annotation), _shape(field.annotation)
            yield FieldPlan(name, exact, shape, mark.compat_default)


_SCALARS = frozenset[type]({str, int, float, bool, NoneType})


def _exact_types(annotation: Any) -> frozenset[type]:
    """Return the types whose values a field of this type dumps as they are.

    None, unless it is a plain scalar, or a union of plain scalars and tasks: anything else may
    have a serializer of its own.
    """
    members = _members(annotation)
    scalars = _SCALARS & members
    return scalars if all(m in scalars or _is_task_like(m) for m in members) else frozenset()


def _members(annotation: Any) -> set[Any]:
    if getattr(get_origin(annotation), "__task_or_value__", False):
        (annotation,) = get_args(annotation)
    is_union = get_origin(annotation) in (Union, UnionType)
    return set(get_args(annotation)) if is_union else {annotation}


def _shape(annotation: Any) -> Shape:
    origin, arguments = get_origin(annotation), get_args(annotation)
    is_either = getattr(origin, "__task_or_value__", False)
    if _members(annotation) <= _SCALARS and not is_either:
        return Shape.SCALAR
    if origin in (HashableSet, TaskSet) and _is_task_like(arguments[0]):
        return Shape.TASK_SET
    items = [a for a in arguments if a is not ...]
    if origin in (list, tuple) and items and all(_is_task_like(item) for item in items):
        return Shape.TASKS
    if origin is dict and arguments[:1] == (str,) and _is_task_like(arguments[1]):
        return Shape.TASK_MAP
    return Shape.ANY


def _has_schema_of_its_own(field: FieldInfo) -> bool:
    return any(hasattr(m, "__get_pydantic_core_schema__") for m in field.metadata)


def _is_task_like(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        plain = not any(hasattr(m, "__get_pydantic_core_schema__") for m in metadata)
        return plain and _is_task_like(inner)
    return getattr(get_origin(annotation) or annotation, "__task_like__", False)
