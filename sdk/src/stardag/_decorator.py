"""`@task`: a function as a task type; its parameters are the task's fields."""

from __future__ import annotations

import inspect
import sys
import types
from abc import ABC
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from stardag._auto_task import AutoTask
from stardag._errors import TaskDefinitionError
from stardag._fields import HashableSet
from stardag._loads import TaskLoads, TaskOrValue
from stardag._task import BaseTask, TaskStruct

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class LoadedFromTask:
    """Marks a parameter that is given as a task and received as what that task made."""


Depends = Annotated[T, LoadedFromTask()]
"""`Depends[T]`: a parameter given as a task that loads as T, received as the loaded T."""

RelpathPart: TypeAlias = str | Callable[[Any], str]
"""Text, or a function from the task to text."""

Relpath: TypeAlias = RelpathPart | Mapping[str, RelpathPart]
"""The whole path below the target root, or its parts by name.

The parts are `base`, `extra`, `filename` and `extension`; see `AutoTask`.
"""

_PARTS = ("base", "extra", "filename", "extension")


class FunctionTask(AutoTask[T], ABC, Generic[P, T]):
    """A task made from a function by `@task`."""

    _function: ClassVar[Callable[..., Any]]
    _loaded: ClassVar[frozenset[str]] = frozenset()
    """Names of the parameters in which tasks are replaced by what they made."""

    if TYPE_CHECKING:
        # A Depends[T] parameter takes a task here and a T in the function, which no checker
        # can express: names and types are checked when the task is made.
        def __init__(self, **parameters: Any) -> None: ...

    @classmethod
    def call(cls, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the plain function, with values where the task would have tasks."""
        return cls._function(*args, **kwargs)

    def result(self) -> T:
        """Return what the task made; the same as `load()`."""
        return self.output().load()

    def requires(self) -> TaskStruct | None:
        """Return every task among the parameters."""
        return list(_tasks_in(list(self._arguments().values())))

    def run(self) -> None:
        """Call the function and save what it returns."""
        arguments = self._arguments()
        for name in self._loaded:
            arguments[name] = _load(arguments[name])
        self.output().save(type(self)._function(**arguments))

    def _arguments(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in type(self).model_fields if name != "version"}


@overload
def task(function: Callable[P, T], /) -> type[FunctionTask[P, T]]: ...
@overload
def task(
    *,
    name: str | None = None,
    version: str = "",
    namespace: str | None = None,
    relpath: Relpath | None = None,
    target_root_key: str | None = None,
) -> Callable[[Callable[P, T]], type[FunctionTask[P, T]]]: ...
def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: str = "",
    namespace: str | None = None,
    relpath: Relpath | None = None,
    target_root_key: str | None = None,
) -> Any:
    """Make a task type from a function; bare, or with any of the options.

    The parameters become fields, given by name: `Depends[T]` takes a task and hands over
    what it made, a plain `T` takes a value or such a task. What the function returns is
    saved as the annotated return type says.

    Raises `TaskDefinitionError` if an annotation is missing, or a parameter can't be a field.
    """
    scope = sys._getframe(1).f_locals
    places = _relpath_properties(relpath)

    def decorate(decorated: Callable[..., Any]) -> type[FunctionTask[Any, Any]]:
        parameters, loads = _read_signature(decorated, scope)
        body: dict[str, Any] = {
            "__module__": decorated.__module__,
            "__qualname__": decorated.__qualname__,
            "__doc__": decorated.__doc__,
            "__version__": version,
            "_function": staticmethod(decorated),
            "_loaded": frozenset(n for n, p in parameters.items() if p.loaded),
            **places,
        }
        if target_root_key is not None:
            body["_target_root_key"] = property(lambda self: target_root_key)
        body["__annotations__"] = {"version": str, **{n: p.field for n, p in parameters.items()}}
        body["version"] = version
        body.update((n, p.default) for n, p in parameters.items() if p.default is not p.empty)
        return cast(
            "type[FunctionTask[Any, Any]]",
            types.new_class(
                decorated.__name__,
                (cast("Any", FunctionTask)[..., loads],),
                {"name_override": name, "namespace_override": namespace},
                lambda namespace: namespace.update(body),
            ),
        )

    return decorate(function) if function is not None else decorate


@dataclass(frozen=True, slots=True)
class _Parameter:
    field: Any
    """The type of the field."""
    loaded: bool
    """Whether the function gets what the tasks in the field made."""
    default: Any
    empty: ClassVar[Any] = inspect.Parameter.empty


def _read_signature(
    function: Callable[..., Any], scope: Mapping[str, Any]
) -> tuple[dict[str, _Parameter], Any]:
    """Return the parameters, and what the function returns."""
    where = f"{function.__module__}.{function.__qualname__}"
    signature = inspect.signature(function)
    try:
        hints = get_type_hints(function, localns=dict(scope), include_extras=True)
    except NameError as error:
        raise TaskDefinitionError(f"@task {where}: an annotation names {error}") from None
    if "return" not in hints:
        raise TaskDefinitionError(
            f"@task {where}: annotate what it returns (-> T), as that says how to save it"
        )
    parameters: dict[str, _Parameter] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TaskDefinitionError(
                f"@task {where}: *{name} can't be a field of a task; name each parameter"
            )
        if name not in hints:
            raise TaskDefinitionError(
                f"@task {where}: annotate the parameter {name!r}, as {name}: T or "
                f"{name}: Depends[T]"
            )
        taken = hasattr(FunctionTask, name) or name in FunctionTask.model_fields
        if taken or name.startswith("_"):
            raise TaskDefinitionError(
                f"@task {where}: the parameter {name!r} has a name that tasks use themselves; "
                "rename it"
            )
        field, loaded = _field_of(hints[name])
        parameters[name] = _Parameter(field, loaded, parameter.default)
    return parameters, hints["return"]


def _field_of(annotation: Any) -> tuple[Any, bool]:
    """Return the field's type for a parameter, and whether its tasks are loaded."""
    field = _replace_depends(annotation)
    if field != annotation:
        return field, True
    if _takes_tasks(annotation):
        return annotation, False
    return TaskOrValue[annotation], True


def _replace_depends(annotation: Any) -> Any:
    """Return the annotation with each `Depends[T]` in it as `TaskLoads[T]`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated and any(isinstance(m, LoadedFromTask) for m in arguments[1:]):
        return TaskLoads[arguments[0]]
    replaced = tuple(_replace_depends(argument) for argument in arguments)
    if replaced == arguments or origin in (None, Annotated):
        return annotation
    return Union[replaced] if origin is UnionType else origin[replaced]  # noqa: UP007


def _takes_tasks(annotation: Any) -> bool:
    """Return whether the function asks for tasks themselves."""
    if getattr(get_origin(annotation), "__task_loads__", False):
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseTask):
        return True
    return any(_takes_tasks(argument) for argument in get_args(annotation))


def _relpath_properties(relpath: Relpath | None) -> dict[str, property]:
    if relpath is None:
        return {}
    parts: dict[str, RelpathPart] = {}
    if isinstance(relpath, Mapping):
        parts.update(cast("Mapping[str, RelpathPart]", relpath))
    else:
        parts[""] = relpath
    if unknown := set(parts) - {"", *_PARTS}:
        raise TaskDefinitionError(
            f"relpath has the unknown parts {sorted(unknown)}; it may have {list(_PARTS)}"
        )
    return {f"_relpath_{n}" if n else "_relpath": _as_property(part) for n, part in parts.items()}


def _as_property(part: RelpathPart) -> property:
    return property(part) if callable(part) else property(lambda self: part)


def _load(value: Any) -> Any:
    """Return the value with each task in it replaced by what the task made."""
    if isinstance(value, BaseTask):
        return cast("Any", value).load()
    if isinstance(value, Mapping):
        mapping = cast("Mapping[Any, Any]", value)
        return {key: _load(item) for key, item in mapping.items()}
    if isinstance(value, (list, tuple, HashableSet)):
        items = [_load(item) for item in cast("Iterable[Any]", value)]
        return items if isinstance(value, list) else tuple(items)
    return value


def _tasks_in(value: Any) -> Iterator[BaseTask]:
    if isinstance(value, BaseTask):
        yield value
    elif isinstance(value, Mapping):
        for item in cast("Mapping[Any, Any]", value).values():
            yield from _tasks_in(item)
    elif isinstance(value, (list, tuple, HashableSet)):
        for item in cast("Iterable[Any]", value):
            yield from _tasks_in(item)
