"""A package whose types, and those of its modules, have a namespace."""

from programs.dialect import Made

import stardag as sd

sd.namespace("team.models", __name__)


class InPackage(Made[int]):
    a: int = 1


from programs.spaced import auto  # noqa: E402, F401 - once the namespace is set
