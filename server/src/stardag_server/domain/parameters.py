"""What of a task's parameters can be searched: any JSON, within what databases take.

The texts are kept as they are. What goes into the index is cut down to what no
database refuses: one odd parameter must not break the search for all.
"""

import json
import math
import re
from typing import Any, cast

_MAX_DIGITS = 300

# What may stand for something that a database refuses, or for a number that a float
# rounds: of texts without it nothing is cut.
_ODD = re.compile(r"\\u0000|\\ud|NaN|Infinity|e[+-]?\d{3}|[\d.]{18}", re.IGNORECASE | re.ASCII)


def searchable(text: str) -> str:
    """Return the JSON object of the parameters for the index; an empty one if that is none.

    NUL is shown as U+2400, and half of a surrogate pair as U+FFFD; numbers beyond
    what a float holds are null.
    """
    odd = _ODD.search(text)
    decode = _careful.decode if odd else json.loads
    try:
        params: Any = decode(text)
    except (ValueError, RecursionError):
        return "{}"
    if not isinstance(params, dict):
        return "{}"
    return json.dumps(_shown(params)) if odd else text


def _null(_constant: str) -> None:
    return None


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _int(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


_careful = json.JSONDecoder(parse_constant=_null, parse_float=_float, parse_int=_int)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        utf16 = value.replace("\0", "\u2400").encode("utf-16", "surrogatepass")
        return utf16.decode("utf-16", "replace")
    if isinstance(value, list):
        return [_shown(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {_shown(key): _shown(each) for key, each in members.items()}
    return value
