"""From a function's signature to the fields of its task type."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import (
    Annotated,
    Any,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from stardag._errors import TaskDefinitionError
from stardag._fields import FieldMark
from stardag._loads import TaskLoads, TaskOrValue
from stardag._task import BaseTask, TaskStruct

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoadedFromTask:
    """Marks a parameter that is given as a task and received as what that task made."""


Depends = Annotated[T, LoadedFromTask()]
"""`Depends[T]`: a parameter given as a task that loads as T, received as the loaded T."""

Loader: TypeAlias = Callable[[Any], Any]
"""Makes of a field's value what the function gets."""

REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as a field."""

    field: Any
    """The field's type."""
    loader: Loader | None
    """None if the function gets the field's value as it is."""
    default: Any
    """REQUIRED if there is none."""


def read_signature(
    function: Callable[..., Any], scope: Mapping[str, Any], reserved: Callable[[str], bool]
) -> tuple[dict[str, Parameter], Any]:
    """Return a function's parameters by name, and the type it returns.

    `scope` has the local names that annotations may use; `reserved` tells the names that a
    field can't have. Raises `TaskDefinitionError` naming the function, the parameter at
    fault, and what to do.
    """
    if not inspect.isfunction(function):
        raise TaskDefinitionError(
            f"@task makes a task type of a function, not of {function!r}; options are given by "
            "name, as @task(name=...)"
        )
    where = f"@task {function.__module__}.{function.__qualname__}"
    if inspect.isasyncgenfunction(function):
        raise TaskDefinitionError(
            f"{where}: an async generator returns nothing that could be saved; write a class with "
            "an `async def run` that yields"
        )
    try:
        # TaskStruct names itself in its definition
        scope = {"TaskStruct": TaskStruct, **scope}
        hints = get_type_hints(function, localns=scope, include_extras=True)
    except NameError as error:
        raise TaskDefinitionError(
            f"{where}: the annotations use {error.name!r}, which is not defined at run time "
            "(an import under TYPE_CHECKING is not there)"
        ) from None
    if "return" not in hints:
        raise TaskDefinitionError(
            f"{where}: annotate what it returns (-> T), as that says how to save it"
        )
    parameters: dict[str, Parameter] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if problem := _problem(parameter, name in hints, reserved(name)):
            raise TaskDefinitionError(f"{where}: {problem}")
        field, loader = _field_of(hints[name])
        parameters[name] = Parameter(field, loader, parameter.default)
    if inspect.isgeneratorfunction(function):
        return parameters, _returned(hints["return"], where)
    return parameters, hints["return"]


def _returned(annotation: Any, where: str) -> Any:
    """Return what a generator returns at its end, by its annotation."""
    arguments = get_args(annotation)
    if get_origin(annotation) is not Generator or len(arguments) < 3:
        raise TaskDefinitionError(
            f"{where}: a function that yields tasks is annotated as "
            "-> Generator[TaskStruct, None, T], as T says how to save what it returns"
        )
    return arguments[2]


def _problem(parameter: inspect.Parameter, annotated: bool, reserved: bool) -> str | None:
    name = parameter.name
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        return f"{parameter} can't be a field of a task; take each parameter by its name"
    if not annotated:
        return f"annotate the parameter {name!r}, as {name}: T or {name}: Depends[T]"
    if reserved or name.startswith("_"):
        return f"the parameter {name!r} has a name that tasks use themselves; rename it"
    return None


def _field_of(annotation: Any) -> tuple[Any, Loader | None]:
    """Return the field's type for a parameter, and how its value is loaded."""
    field = _replace_depends(annotation)
    if field != annotation:
        return field, load_nested
    if _takes_tasks(annotation):
        return annotation, None
    inner, marks = _without_marks(annotation)
    either = TaskOrValue[inner]
    return (Annotated[either, *marks] if marks else either), load_task


def _without_marks(annotation: Any) -> tuple[Any, list[Any]]:
    """Separate what marks the field from what constrains the value."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    inner, *metadata = get_args(annotation)
    marks = [m for m in metadata if isinstance(m, FieldMark)]
    rest = [m for m in metadata if not isinstance(m, FieldMark)]
    return (Annotated[inner, *rest] if rest else inner), marks


def _replace_depends(annotation: Any) -> Any:
    """Return the annotation with each `Depends[T]` in it as `TaskLoads[T]`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *metadata = arguments
        rest = [m for m in metadata if not isinstance(m, LoadedFromTask)]
        given = TaskLoads[inner] if len(rest) < len(metadata) else _replace_depends(inner)
        return Annotated[given, *rest] if rest else given
    replaced = tuple(_replace_depends(argument) for argument in arguments)
    if replaced == arguments or origin is None:
        return annotation
    return Union[replaced] if origin is UnionType else origin[replaced]  # noqa: UP007


def _takes_tasks(annotation: Any) -> bool:
    """Return whether the function asks for tasks themselves."""
    if getattr(get_origin(annotation) or annotation, "__task_like__", False):
        return True
    return any(_takes_tasks(argument) for argument in get_args(annotation))


def load_task(value: Any) -> Any:
    """Return what a task made; any other value as it is."""
    return cast("Any", value).load() if isinstance(value, BaseTask) else value


def load_nested(value: Any) -> Any:
    """Return a nesting of lists, tuples, dicts and sets with what its tasks made in their place."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[Any, Any]", value)
        return {key: load_nested(item) for key, item in mapping.items()}
    if isinstance(value, (list, tuple, frozenset)):
        items = [load_nested(item) for item in cast("Collection[Any]", value)]
        return items if isinstance(value, list) else _same_kind(value, items)
    return load_task(value)


def _same_kind(value: Any, items: list[Any]) -> Any:
    return frozenset(items) if isinstance(value, frozenset) else tuple(items)
