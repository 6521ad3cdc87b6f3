"""Puts a fault into the process that it is for: something around one of its functions."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_COMMANDS = {"sender": "stardag.tracking.sender", "server": "stardag_server", "builder": "builder"}


def plant(name: str) -> None:
    """Plant the fail point or the double called `name` if this is the process that it is for."""
    from doubles import DOUBLES
    from fail_points import FAIL_POINTS

    if (point := FAIL_POINTS.get(name)) is not None:
        if is_process(point.process):
            wrap(point.place, point.around)
    else:
        double = DOUBLES[name]
        if is_process(double.process):
            double.plant()


def is_process(kind: str) -> bool:
    """Return whether this process is a `builder`, a `sender` or a `server`."""
    return any(_COMMANDS[kind] in argument for argument in sys.orig_argv)


def wrap(place: str, around: Callable[[Any], Any]) -> None:
    """Replace what is at `place`, such as `package.module:Class.method`, by `around` of it.

    A module on the way, as in `package.module:os.write`, is changed for that module alone.
    """
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        held = getattr(owner, parent)
        if isinstance(held, ModuleType):
            copy = ModuleType(held.__name__)
            copy.__dict__.update(held.__dict__)
            setattr(owner, parent, copy)
            held = copy
        owner = held
    setattr(owner, name, around(getattr(owner, name)))
