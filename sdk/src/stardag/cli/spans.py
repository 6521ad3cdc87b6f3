"""Spans of time as they are written: `90s`, `30m`, `6h`, `7d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token

_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_span(text: str) -> timedelta | None:
    """Return the span that is written, None if none is."""
    found = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def _converted(_: object, tokens: Sequence[Token]) -> timedelta:
    text = tokens[0].value
    if (span := read_span(text)) is None:
        raise ValueError(f"{text!r} is no span such as 90s, 30m, 6h, 7d or 2w")
    return span


Span = Annotated[timedelta, Parameter(converter=_converted, metavar="SPAN")]
"""An option that is a span of time."""
