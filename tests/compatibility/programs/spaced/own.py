from programs.dialect import Made

import stardag as sd

sd.namespace("own", __name__)


class InOwn(Made[int]):
    a: int = 1
