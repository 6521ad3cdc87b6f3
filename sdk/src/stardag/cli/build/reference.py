"""What `module:attribute` names: tasks, or what makes them."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

from stardag._errors import ConfigError
from stardag._readable import did_you_mean
from stardag._task import BaseTask, flatten_task_struct
from stardag.cli.build.parameters import make_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from stardag._task import TaskStruct

_MOST_NAMED = 10


def find_tasks(reference: str, parameters: Mapping[str, str]) -> list[BaseTask]:
    """Return the tasks that `module:attribute` names; modules of the working directory count.

    The attribute is a task type, which is made with the parameters; a task or a nesting of
    tasks; or a function without arguments that returns one.

    Raises `ConfigError` if it is none of these, and what the module raises when it is imported.
    """
    found: Any = _attribute(reference)
    if inspect.isclass(found) and issubclass(found, BaseTask):
        return [make_task(found, parameters)]
    if parameters:
        raise ConfigError(
            f"--param is for a task type, and {reference} is {_kind(found)}: it takes none"
        )
    if inspect.isroutine(found):
        found = _called(cast("Callable[..., Any]", found), reference)
    if found is None:
        raise ConfigError(f"{reference} has no tasks: it is, or returned, None")
    try:
        return flatten_task_struct(cast("TaskStruct", found))
    except TypeError as error:
        raise ConfigError(
            f"{reference} is no task type, no task, no nesting of tasks, and no function that "
            f"returns one: {error}"
        ) from None


def _attribute(reference: str) -> Any:
    module_name, separator, path = reference.partition(":")
    if not separator or not path or not all(map(str.isidentifier, module_name.split("."))):
        raise ConfigError(
            f"{reference!r} is not of the form module:attribute, such as my_pipeline:Total or "
            "my_package.pipelines:nightly"
        )
    module = found = import_module(module_name)
    for name in path.split("."):
        if not hasattr(found, name):
            nearest = get_close_matches(name, _to_build(module), _MOST_NAMED, cutoff=0.0)
            otherwise = f"to build, it has {', '.join(nearest) or 'nothing'}"
            hint = did_you_mean(name, dir(found), otherwise=otherwise)
            raise ConfigError(f"{module_name} has no {path!r}; {hint}")
        found = getattr(found, name)
    return found


def _to_build(module: ModuleType) -> list[str]:
    """Return the names that a module has for what can be built, but not for what it imports."""

    def counts(value: Any) -> bool:
        if inspect.isfunction(value) or inspect.isclass(value):
            of_tasks = inspect.isfunction(value) or issubclass(value, BaseTask)
            return of_tasks and value.__module__ == module.__name__
        try:
            return bool(flatten_task_struct(value))
        except TypeError:
            return False

    return [name for name, value in vars(module).items() if name[0] != "_" and counts(value)]


def import_module(name: str) -> ModuleType:
    """Import a module, as `python -m` finds it.

    Raises `ConfigError` if there is none, and what it raises when it is imported.
    """
    here = os.getcwd()  # noqa: PTH109  as sys.path has it
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and imports what is not
        raise ConfigError(
            f"there is no module {error.name!r}: it must be installed, or be in {here}"
        ) from None


def _called(function: Callable[..., Any], reference: str) -> Any:
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise ConfigError(
            f"{reference} is a function that is called without arguments ({error}); make it a "
            "task type by @task, which takes --param"
        ) from None
    return function()


def _kind(found: Any) -> str:
    if isinstance(found, BaseTask):
        return "a task"
    return "a function" if inspect.isroutine(found) else f"a {type(found).__name__}"
