"""How often Python looks for garbage that refers to itself."""

import gc


def collect_seldom() -> None:
    """Have the garbage collector look less often.

    A commit makes tens of thousands of objects and no circles. At the default
    pace the collector looked at everything that the server remembers several
    times a second, which took a quarter of its time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
