"""What of a task's parameters can be searched: any JSON, within what databases take.

The texts are kept as they are. What goes into the index is cut down to what no
database refuses: one odd parameter must not break the search for all.
"""

import json
import math
from typing import Any, cast

_MAX_DIGITS = 300


def searchable(text: str) -> dict[str, Any]:
    """Return the parameters as a value for the index; empty if the text is not an object.

    NUL is shown as U+2400, and half of a surrogate pair as U+FFFD; numbers beyond
    what a float holds are null.
    """
    try:
        parsed: Any = json.loads(text, parse_constant=_null, parse_float=_float, parse_int=_int)
    except ValueError:
        return {}
    if not isinstance(parsed, dict):
        return {}
    params = cast("dict[str, Any]", parsed)
    # Only escapes spell what no database takes.
    if "\\u0000" in text or "\\ud" in text.lower():
        params = cast("dict[str, Any]", _shown(params))
    return params


def _null(_constant: str) -> None:
    return None


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _int(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\u2400").encode(errors="surrogatepass").decode(errors="replace")
    if isinstance(value, list):
        return [_shown(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {_shown(key): _shown(each) for key, each in members.items()}
    return value
