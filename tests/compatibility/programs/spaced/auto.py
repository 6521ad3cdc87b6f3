from programs.dialect import Made

import stardag as sd

sd.auto_namespace(__name__)


class InAuto(Made[int]):
    a: int = 1
