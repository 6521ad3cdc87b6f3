"""In what the identities of two tasks differ: why the one is not the other."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from stardag_server.domain.event_check import is_id

MAX_JSON = 4 << 10
MAX_DIFFERENCES = 1_000
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """An ingredient in which two identities differ; a text is empty for what one lacks."""

    path: str
    earlier_json: str
    json: str
    tasks: tuple[UUID, UUID] | None = None
    """The two tasks there, if the ingredient is a task in both."""


def differences(earlier: Any, later: Any, path: str = "") -> Iterator[Difference]:
    """Yield in what two JSON values differ, in the order of the paths' keys."""
    if isinstance(earlier, dict) and isinstance(later, dict):
        first, second = cast("dict[str, Any]", earlier), cast("dict[str, Any]", later)
        tasks = _task(first), _task(second)
        if tasks[0] and tasks[1]:
            if tasks[0] != tasks[1]:
                yield Difference(path, _shown(first), _shown(second), (tasks[0], tasks[1]))
            return
        for key in sorted(first.keys() | second.keys()):
            below = f"{path}.{key}" if path else key
            yield from differences(first.get(key, _NOTHING), second.get(key, _NOTHING), below)
    elif isinstance(earlier, list) and isinstance(later, list):
        one, other = cast("list[Any]", earlier), cast("list[Any]", later)
        for index in range(max(len(one), len(other))):
            yield from differences(
                one[index] if index < len(one) else _NOTHING,
                other[index] if index < len(other) else _NOTHING,
                f"{path}[{index}]",
            )
    elif _shown(earlier) != _shown(later):
        yield Difference(path, _cut(_shown(earlier)), _cut(_shown(later)))


def identity(text: str | None) -> Any:
    """Return the value of an identity's text; nothing if it is not JSON."""
    try:
        return json.loads(text) if text else _NOTHING
    except (ValueError, RecursionError):
        return _NOTHING


def _task(value: dict[str, Any]) -> UUID | None:
    if len(value) != 1:
        return None
    id = value.get("id")
    return UUID(id) if isinstance(id, str) and is_id(id) else None


def _shown(value: Any) -> str:
    return "" if value is _NOTHING else json.dumps(value, separators=(",", ":"), sort_keys=True)


def _cut(text: str) -> str:
    return text[:MAX_JSON]
