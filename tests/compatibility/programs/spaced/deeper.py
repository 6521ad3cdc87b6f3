from programs.dialect import Made

import stardag as sd


class InModule(Made[int]):
    a: int = 1


class WithAttribute(Made[int]):
    __namespace__ = "attribute"


class WithOverride(Made[int], namespace_override=""):
    a: int = 1


@sd.task
def function(a: int) -> int:
    return a
