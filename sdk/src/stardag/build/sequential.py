"""The driver that runs one task after the other in the caller's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stardag.build.run import BuildRun


def drive(run: BuildRun) -> None:
    """Run tasks until there are no more. Raises KeyboardInterrupt where it comes."""
    while (number := run.take()) is not None:
        run.settle(number, run.advance(number))
