"""The colours of commands and of progress, to be read on black and on white in any theme.

Of the sixteen that a theme sets, yellow vanishes on white, blue on black, and dim on either. These
are of the 256 that are everywhere the same, with a contrast to both of 3.8 to 1 or more.
"""

from __future__ import annotations

RED = "color(160)"
ORANGE = "color(130)"
GREEN = "color(28)"
TEAL = "color(30)"
BLUE = "color(27)"
MUTED = "color(243)"
"""Of what is beside the matter."""

FAILURE = f"bold {RED}"

OF_STATUS = {
    "PENDING": MUTED,
    "RUNNING": TEAL,
    "SUSPENDED": TEAL,
    "BLOCKED": ORANGE,
    "RETRYING": ORANGE,
    "COMPLETED": GREEN,
    "REUSED": BLUE,
    "FAILED": FAILURE,
    "SKIPPED": ORANGE,
    "CANCELLED": ORANGE,
    "EXITED_EARLY": ORANGE,
    "ABANDONED": RED,
}
