"""The names that the published releases changed among themselves, under those of the 0.1 series."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

import stardag as sd

released: Any = sd
"""The package as the release at hand has it; type checkers know ours alone."""

Cases: TypeAlias = dict[str, Callable[[], Any]]

T = TypeVar("T")

# From 0.3 on, `Task` is what the 0.1 series calls `AutoTask`, and `TargetTask` its `Task`.
AutoTask: Any = getattr(released, "AutoTask", None) or released.Task
Task: Any = getattr(released, "TargetTask", None) or released.Task
get_target: Any = getattr(released, "get_target", None) or released.get_file_target


class Made(AutoTask[T], ABC, Generic[T]):
    """Base of the types below: the releases refuse a type without a `run`."""

    def run(self) -> None: ...


def insignificant() -> Any:
    """Return the mark of a field that has no part in the id."""
    try:
        return released.StardagField(hash_exclude=True)
    except TypeError:
        return released.StardagField(significant=False)


def output(task: Any) -> Any:
    """Return a task's target."""
    return task.output() if hasattr(task, "output") else task.target()
