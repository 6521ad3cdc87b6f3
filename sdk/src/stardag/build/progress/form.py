"""Whether progress is shown, and how."""

from __future__ import annotations

import os
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO


class Form(Enum):
    """How progress is shown."""

    LIVE = "live"
    """Drawn over and over at the bottom of a terminal."""
    LINES = "lines"
    """Written as lines, for a log."""


def choose_form(
    progress: bool | None, stream: TextIO | None, environ: Mapping[str, str]
) -> Form | None:
    """Return how progress is shown on `stream`; None if not at all.

    Live in a terminal. Lines where `CI` is set, in a terminal that can't place its cursor, and
    anywhere else if `progress` is True. With False nothing is shown; nor without a stream.
    """
    if progress is False or stream is None:
        return None
    is_terminal = _has_rows(stream)
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false")
    if in_ci or (is_terminal and environ.get("TERM", "") in ("", "dumb", "unknown")):
        return Form.LINES
    if is_terminal:
        return Form.LIVE
    return Form.LINES if progress else None


def _has_rows(stream: TextIO) -> bool:
    """Return whether this is a terminal of which the size is known."""
    try:
        return stream.isatty() and os.get_terminal_size(stream.fileno()).lines > 0
    except (OSError, ValueError, AttributeError):  # closed, or something else than a file
        return False
