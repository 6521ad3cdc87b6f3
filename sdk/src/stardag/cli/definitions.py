"""The tasks that a program of the user's defines, found by `MODULE:NAME`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stardag._errors import ConfigError
from stardag._task import BaseTask, flatten_task_struct
from stardag._traversal import tasks_in

if TYPE_CHECKING:
    from types import ModuleType


def imported(name: str) -> ModuleType:
    """Import a module, which may be in the working directory.

    Raises `ConfigError` if it is not there or fails.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise ConfigError(f"{name} can't be imported: {type(error).__name__}: {error}") from error


def tasks_of(reference: str) -> list[BaseTask]:
    """Return the tasks that `MODULE:NAME` stands for, and all that these depend on, each once.

    The name is that of a task, of several in lists or dicts, or of a function without arguments
    that returns them. Raises `ConfigError` if it is not.
    """
    module, _, name = reference.partition(":")
    value = getattr(imported(module), name, None)
    if value is None:
        raise ConfigError(f"{reference}: there is no {name} in {module}")
    if callable(value) and not isinstance(value, BaseTask):
        try:
            value = value()
        except TypeError as error:
            raise ConfigError(
                f"{reference} can't be called without arguments: {error}; name a task, or a "
                "function that returns tasks"
            ) from error
    roots = list(tasks_in(value))
    if not roots:
        raise ConfigError(f"{reference} is {type(value).__name__}, and holds no task")
    return _with_dependencies(roots)


def _with_dependencies(roots: list[BaseTask]) -> list[BaseTask]:
    found: dict[str, BaseTask] = {}
    pending = roots
    while pending:
        task = pending.pop()
        if str(task.id) not in found:
            found[str(task.id)] = task
            pending += flatten_task_struct(task.requires())
    return list(found.values())
