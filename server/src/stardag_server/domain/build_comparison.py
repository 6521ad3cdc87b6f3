"""In what two builds differ."""

from collections.abc import Iterable
from dataclasses import dataclass

from stardag.v1.build_service_pb2 import (
    TASK_CHANGE_KIND_ADDED,
    TASK_CHANGE_KIND_REMOVED,
    TASK_CHANGE_KIND_SAME,
    TASK_CHANGE_KIND_STATUS,
)

_ORDINALS = 32


@dataclass(frozen=True, slots=True)
class Change:
    """A task of one build or both, by its ordinals in them; None where it is not."""

    kind: int
    base: int | None
    ordinal: int | None

    @property
    def key(self) -> int:
        """A number that orders changes: by kind, then as the tasks entered their build."""
        return self.kind << _ORDINALS | ((self.base if self.ordinal is None else self.ordinal) or 0)


def changes(
    base: Iterable[tuple[int, int, int]], build: Iterable[tuple[int, int, int]]
) -> list[Change]:
    """Return how two builds differ, each given as (task, ordinal, status), in their order."""
    before = {task: (ordinal, status) for task, ordinal, status in base}
    found: list[Change] = []
    for task, ordinal, status in build:
        known = before.pop(task, None)
        if known is None:
            found.append(Change(TASK_CHANGE_KIND_ADDED, None, ordinal))
        else:
            same = known[1] == status
            kind = TASK_CHANGE_KIND_SAME if same else TASK_CHANGE_KIND_STATUS
            found.append(Change(kind, known[0], ordinal))
    found += (Change(TASK_CHANGE_KIND_REMOVED, ordinal, None) for ordinal, _ in before.values())
    return sorted(found, key=lambda change: change.key)
