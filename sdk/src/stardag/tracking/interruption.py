"""Tells what the program itself has raised, by a signal's handler, from what tracking has.

A handler runs between any two steps of the main thread, such as those of a tracker. What it raises
there (a time limit, most often) is for whoever called `build`, and no fault of tracking's.
"""

from __future__ import annotations

import functools
import signal
from traceback import walk_tb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType


def raised_by_handler(error: BaseException) -> bool:
    """Return whether `error` comes out of a handler that is set for a signal."""
    passed = {frame.f_code for frame, _ in walk_tb(error.__traceback__)}
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    return any(_code(handler) in passed for handler in handlers if callable(handler))


def _code(handler: object) -> CodeType | None:
    """Return what a function, a method, a partial or an object that can be called runs."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    if not hasattr(function, "__code__"):
        function = type(function).__call__
    return getattr(function, "__code__", None)
