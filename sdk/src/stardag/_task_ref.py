"""TaskRef: a task by name, without its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self
    from uuid import UUID

    from stardag._task import BaseTask


@dataclass(frozen=True, slots=True)
class TaskRef:
    """Which task is meant, for logs and messages."""

    name: str
    version: str | None
    id: UUID

    @classmethod
    def from_task(cls, task: BaseTask) -> Self:
        """Return the reference to a task."""
        return cls(task.get_name(), task.version, task.id)

    @property
    def slug(self) -> str:
        """The name, the version if there is one, and the beginning of the id, for people."""
        version = f"v{self.version}" if self.version else ""
        return f"{self.name}-{version}-{str(self.id)[:8]}"
