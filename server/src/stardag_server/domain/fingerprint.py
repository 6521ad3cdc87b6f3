"""Which failures are alike, whatever differs from run to run."""

import hashlib
import re

from stardag.v1.task_pb2 import TaskFailure

_INNERMOST = 3
_VARIABLE = re.compile(
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|0x[0-9a-fA-F]+|\b[0-9a-fA-F]{16,}\b|\d+"
)
_PLACE = re.compile(r'^\s*File "(?:.*[/\\])?([^"/\\]+)", line \d+, in (.+)$', re.MULTILINE)


def fingerprint(failure: TaskFailure) -> str:
    """Return 16 hex digits that are the same for failures that are alike.

    Alike are those of one exception class whose message, without numbers, ids and
    addresses, and whose innermost places, without line numbers, are the same.
    """
    places = _PLACE.findall(failure.stack_trace)[-_INNERMOST:]
    parts = [failure.kind, _VARIABLE.sub("#", failure.message), *map("\1".join, places)]
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:16]
