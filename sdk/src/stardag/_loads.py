"""Field types that take tasks by what their outputs load as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast, get_args, get_type_hints
from weakref import WeakSet

from pydantic import Tag
from pydantic_core import core_schema

from stardag._alias import AliasTask
from stardag._task import BaseTask, Task
from stardag._type_check import may_be
from stardag.target._protocols import LoadableTarget

if TYPE_CHECKING:
    from pydantic import (
        GetCoreSchemaHandler,
        GetJsonSchemaHandler,
        SerializationInfo,
        SerializerFunctionWrapHandler,
        ValidatorFunctionWrapHandler,
    )
    from pydantic_core import CoreSchema

T = TypeVar("T")

if TYPE_CHECKING:
    TaskLoads: TypeAlias = Task[LoadableTarget[T]]
    TaskOrValue: TypeAlias = T | Task[LoadableTarget[T]]
else:

    class TaskLoads(Generic[T]):
        """`TaskLoads[T]`: a field that takes any task whose output loads as T.

        Checked when the task with the field is made, as far as types can tell.
        """

        __task_like__ = True

        @classmethod
        def __get_pydantic_core_schema__(
            cls, source: Any, handler: GetCoreSchemaHandler
        ) -> CoreSchema:
            (expected,) = get_args(source) or (Any,)
            fitting: WeakSet[type] = WeakSet()

            def take(value: Any, read: ValidatorFunctionWrapHandler) -> BaseTask:
                if type(value) in fitting:
                    return value
                task = _take(value, read, expected)
                fitting.add(type(task))
                return task

            take.__name__ = name = f"TaskLoads[{_name(expected)}]"  # as errors call it
            schema = core_schema.no_info_wrap_validator_function(
                take, handler.generate_schema(BaseTask)
            )
            return Tag(name).__get_pydantic_core_schema__(source, lambda _: schema)

    class TaskOrValue(Generic[T]):
        """`TaskOrValue[T]`: a field that takes a T, or any task whose output loads as T."""

        __task_or_value__ = True

        @classmethod
        def __get_pydantic_core_schema__(
            cls, source: Any, handler: GetCoreSchemaHandler
        ) -> CoreSchema:
            (expected,) = get_args(source) or (Any,)
            return core_schema.tagged_union_schema(
                {
                    "task": handler.generate_schema(TaskLoads[expected]),
                    "value": handler.generate_schema(expected),
                },
                discriminator=_task_or_value,
                serialization=core_schema.wrap_serializer_function_ser_schema(
                    _dump_task_or_value,
                    info_arg=True,
                    schema=handler.generate_schema(expected),
                ),
            )

        @classmethod
        def __get_pydantic_json_schema__(
            cls, schema: CoreSchema, handler: GetJsonSchemaHandler
        ) -> dict[str, Any]:
            described = handler(schema)
            described["anyOf"] = described.pop("oneOf")  # a value may look like a task as well
            return described


def loaded_type(task_type: type[BaseTask]) -> Any:
    """Return what the outputs of a task type load as; Any if its declaration doesn't tell.

    Raises `TypeError` if it has no output that loads.
    """
    declared: Any = getattr(task_type, "_loads", None)
    if declared is not None:
        return declared
    if not issubclass(task_type, Task):
        raise TypeError(f"{task_type.__qualname__} has no output to load")
    try:
        returned = get_type_hints(cast("Any", task_type).output).get("return", Any)
    except NameError:
        return Any
    arguments = get_args(returned)
    return arguments[0] if len(arguments) == 1 else Any


def _take(value: Any, read: ValidatorFunctionWrapHandler, expected: Any) -> BaseTask:
    task = read(value) if isinstance(value, dict) else value
    if not isinstance(task, BaseTask):
        is_class = isinstance(task, type) and issubclass(task, BaseTask)
        raise ValueError(
            f"a task that loads as {_name(expected)} is needed"
            + (f": call the class, {task.__qualname__}(...)" if is_class else "")
        )
    try:
        actual = loaded_type(type(task))
    except TypeError as error:
        raise ValueError(str(error)) from None
    if issubclass(type(task), AliasTask) and isinstance(actual, TypeVar):
        # read from JSON, which does not say how it loads
        return cast("Any", AliasTask)[expected](aliased=cast("Any", task).aliased)
    if not may_be(actual, expected):
        raise ValueError(
            f"a task that loads as {_name(expected)} is needed, and "
            f"{type(task).__qualname__} loads as {_name(actual)}"
        )
    return task


def _name(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)


def _task_or_value(value: Any) -> str:
    return "task" if isinstance(value, BaseTask) or BaseTask.describes(value) else "value"


def _dump_task_or_value(
    value: Any, dump: SerializerFunctionWrapHandler, info: SerializationInfo
) -> Any:
    if not isinstance(value, BaseTask):
        return dump(value)
    return value.__pydantic_serializer__.to_python(value, mode=info.mode, context=info.context)
