"""Texts and durations as people read them in a terminal; it must not be controlled by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def error_text(error: BaseException) -> str:
    """Return what an error says, or, of one whose own code fails at that, what that failed with."""
    try:
        return str(error)
    except (Exception, SystemExit) as fault:
        return f"<its text can't be had: {type(fault).__name__}>"


def printable(text: str) -> str:
    """Return text with what could control a terminal shown instead; lines and tabs stay."""
    shown = (
        c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
    return "".join(shown)


def one_line(text: str) -> str:
    """Return `printable` text without line breaks."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def duration(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 120 else f"{minutes} min {rest} s"


def elapsed(seconds: float) -> str:
    """Return a duration that goes on: in whole seconds."""
    return f"{seconds:.0f} s" if seconds < 120 else duration(seconds)


def rough_duration(seconds: float) -> str:
    """Return a duration that is an estimate: no more precise than it is true."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str) -> str:
    """Return a hint at the known name that is nearest to `name`; `otherwise` if none is near."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), 1)
    return f"did you mean {close[0]!r}?" if close else otherwise
