"""In which forms a task type can run: in a thread, in an event loop, or both."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class RunForm(NamedTuple):
    """How a task type is run; told once, when the class is made."""

    sync: bool
    """Whether `run` is a plain function or a generator."""
    aio: str | None
    """The method that is `async def`, with or without `yield`: `run`, `run_aio` or None."""

    @property
    def runs(self) -> bool:
        """Whether the type can run at all."""
        return self.sync or self.aio is not None


def run_form(cls: Any, base: Any) -> RunForm:
    """Return the form of `cls`, given the class whose `run` and `run_aio` stand for none."""
    is_async = _is_async(cls.run)
    sync = cls.run is not base.run and not is_async
    if cls.run_aio is not base.run_aio:
        return RunForm(sync, "run_aio")
    return RunForm(sync, "run" if is_async else None)


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
