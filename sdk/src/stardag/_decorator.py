"""`@task`: a function as a task type; its parameters are the task's fields."""

from __future__ import annotations

import inspect
import sys
import types
from abc import ABC
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    cast,
    overload,
)

from stardag._auto_task import AutoTask
from stardag._errors import TaskDefinitionError
from stardag._signature import REQUIRED, Loader, Parameter, read_signature
from stardag._task import BaseTask, TaskStruct
from stardag._traversal import tasks_in

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from stardag._execution import ExecutionOptions

T = TypeVar("T")
P = ParamSpec("P")

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
    _loaders: ClassVar[Mapping[str, Loader]] = {}
    """How a parameter's value becomes what the function gets, where it isn't as it is."""

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
        """Return the tasks in the parameters, by parameter; None if there are none."""
        required: dict[str, TaskStruct] = {}
        for name, value in self._arguments().items():
            if isinstance(value, BaseTask):
                required[name] = value
            elif tasks := list(tasks_in(value)):
                required[name] = tasks
        return required or None

    def run(self) -> Any:
        """Call the function and save what it returns."""
        self.output().save(type(self)._function(**self._loaded_arguments()))

    def _loaded_arguments(self) -> dict[str, Any]:
        arguments = self._arguments()
        for name, loader in self._loaders.items():
            arguments[name] = loader(arguments[name])
        return arguments

    def _arguments(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in type(self).model_fields if name != "version"}


if TYPE_CHECKING:
    # One class at run time, as only `call` differs, in what it returns.

    class GeneratorFunctionTask(FunctionTask[P, T], ABC, Generic[P, T]):
        """A task made from a function that yields the tasks it turns out to need."""

        def __init__(self, **parameters: Any) -> None: ...

        @classmethod
        def call(cls, *args: P.args, **kwargs: P.kwargs) -> Generator[TaskStruct, None, T]: ...  # pyright: ignore[reportIncompatibleMethodOverride]

    class AsyncFunctionTask(FunctionTask[P, T], ABC, Generic[P, T]):
        """A task made from an `async def` function."""

        def __init__(self, **parameters: Any) -> None: ...

        @classmethod
        def call(cls, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]: ...  # pyright: ignore[reportIncompatibleMethodOverride]


def _run_generator(self: FunctionTask[Any, Any]) -> Generator[TaskStruct, None, None]:
    """Run the function to its end, and save what it returns."""
    function: Callable[..., Generator[TaskStruct, None, Any]] = type(self)._function
    self.output().save((yield from function(**self._loaded_arguments())))


async def _run_async(self: FunctionTask[Any, Any]) -> None:
    """Await the function, and save what it returns; files are read and written in a thread."""
    import asyncio

    arguments = await asyncio.to_thread(self._loaded_arguments)
    await self.output().save_aio(await type(self)._function(**arguments))


class _Decorate(Protocol):
    """What `@task(...)` returns."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> type[AsyncFunctionTask[P, T]]: ...
    @overload
    def __call__(
        self, function: Callable[P, Generator[TaskStruct, None, T]], /
    ) -> type[GeneratorFunctionTask[P, T]]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> type[FunctionTask[P, T]]: ...


@overload
def task(function: Callable[P, Coroutine[Any, Any, T]], /) -> type[AsyncFunctionTask[P, T]]: ...
@overload
def task(
    function: Callable[P, Generator[TaskStruct, None, T]], /
) -> type[GeneratorFunctionTask[P, T]]: ...
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
    **execution: Unpack[ExecutionOptions],
) -> _Decorate: ...
def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    version: str = "",
    namespace: str | None = None,
    relpath: Relpath | None = None,
    target_root_key: str | None = None,
    **execution: Unpack[ExecutionOptions],
) -> Any:
    """Make a task type from a function; bare, or with any of the options.

    The parameters become fields, given by name: `Depends[T]` takes a task and hands over
    what it made, a plain `T` takes a value or such a task. What the function returns is
    saved as the annotated return type says. It may be `async def`; and it may yield tasks
    that it turns out to need, if it is annotated as `-> Generator[TaskStruct, None, T]`.
    `execution` says how attempts are made: `retries=3`, `timeout=60`; see `Execution`.

    Raises `TaskDefinitionError` if an annotation is missing, or a parameter can't be a field.
    """
    scope = sys._getframe(1).f_locals
    places: dict[str, Any] = _relpath_properties(relpath)
    if target_root_key is not None:
        places["_target_root_key"] = _as_property(target_root_key)

    def decorate(decorated: Callable[..., Any]) -> type[FunctionTask[Any, Any]]:
        parameters, loads = read_signature(decorated, scope, _is_reserved)
        body = {**_class_body(decorated, parameters, version), **places}
        return types.new_class(
            decorated.__name__,
            (cast("Any", FunctionTask)[..., loads],),
            {"name_override": name, "namespace_override": namespace, **execution},
            lambda namespace: namespace.update(body),
        )

    return decorate(function) if function is not None else decorate


def _class_body(
    function: Callable[..., Any], parameters: Mapping[str, Parameter], version: str
) -> dict[str, Any]:
    return {
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": function.__doc__,
        "__version__": version,
        "_function": staticmethod(function),
        **_run_of(function),
        "_loaders": {n: p.loader for n, p in parameters.items() if p.loader is not None},
        "__annotations__": {"version": str, **{n: p.field for n, p in parameters.items()}},
        "version": version,
        **{n: p.default for n, p in parameters.items() if p.default is not REQUIRED},
    }


def _run_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the `run` of a function that is not called and done."""
    if inspect.iscoroutinefunction(function):
        return {"run": _run_async}
    return {"run": _run_generator} if inspect.isgeneratorfunction(function) else {}


def _is_reserved(name: str) -> bool:
    return hasattr(FunctionTask, name) or name in FunctionTask.model_fields


def _relpath_properties(relpath: Relpath | None) -> dict[str, Any]:
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
    if callable(part):
        return property(part)
    if not isinstance(part, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TaskDefinitionError(
            f"a part of a path is text, or a function from the task to text, and not {part!r}"
        )
    return property(lambda self: part)
