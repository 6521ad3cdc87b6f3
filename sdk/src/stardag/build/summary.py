"""What a build did, for programs and for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from stardag._errors import BuildFailedError
from stardag._readable import error_text

if TYPE_CHECKING:
    from uuid import UUID

    from stardag._task import BaseTask
    from stardag.build.observer import BuildStatus


class FailMode(Enum):
    """What a build does when a task fails."""

    FAIL_FAST = "fail_fast"
    """Start nothing more, and wait for what runs."""
    CONTINUE = "continue"
    """Build all that can be built without what failed."""


class BuildExitStatus(StrEnum):
    """The names that the 0.1 series has for how a build ended; equal to `BuildSummary.status`."""

    SUCCESS = "completed"
    FAILURE = "failed"
    EXIT_EARLY = "exited_early"


@dataclass(frozen=True)
class TaskFailure:
    """A task that failed, and why."""

    task: BaseTask
    error: BaseException

    @property
    def traceback(self) -> str:
        """The error as Python prints it, with causes."""
        import traceback  # when something failed, and not before

        return "".join(traceback.format_exception(self.error))

    def __str__(self) -> str:
        return f"{self.task!r}: {type(self.error).__name__}: {error_text(self.error)}"


@dataclass(frozen=True)
class SkippedTask:
    """A task that could not run, and the failed task that kept it."""

    task: BaseTask
    cause: BaseTask


@dataclass(slots=True)
class TaskCounts:
    """Number of tasks by how they ended."""

    completed: int = 0
    reused: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """Number of tasks of the build."""
        return self.completed + self.reused + self.failed + self.skipped + self.cancelled

    @property
    def discovered(self) -> int:
        """The same as `total`, as the 0.1 series calls it."""
        return self.total

    @property
    def previously_completed(self) -> int:
        """The same as `reused`, as the 0.1 series calls it."""
        return self.reused

    @property
    def succeeded(self) -> int:
        """The same as `completed`, as the 0.1 series calls it."""
        return self.completed

    def __str__(self) -> str:
        parts = {name: getattr(self, name) for name in self.__slots__}
        return ", ".join(f"{count} {name}" for name, count in parts.items() if count) or "no tasks"


@dataclass(slots=True, repr=False)
class BuildSummary:
    """How a build ended."""

    build_id: UUID
    """The build's id; without its hyphens, the trace id."""
    status: BuildStatus
    counts: TaskCounts = field(default_factory=TaskCounts)
    failures: list[TaskFailure] = field(default_factory=list[TaskFailure])
    skipped: list[SkippedTask] = field(default_factory=list[SkippedTask])
    duration_s: float = 0.0
    """Seconds from the start to the last task's end."""
    reason: str = ""
    """Why it ended so, in a sentence; empty if all is there."""

    @property
    def ok(self) -> bool:
        """Whether all that was asked for is there."""
        return self.status == "completed"

    @property
    def task_count(self) -> TaskCounts:
        """The same as `counts`, as the 0.1 series calls it."""
        return self.counts

    @property
    def error(self) -> BaseException | None:
        """The first failure's error; None if nothing failed."""
        return self.failures[0].error if self.failures else None

    def raise_for_status(self) -> None:
        """Raise `BuildFailedError`, caused by the first failure's error, unless all is there."""
        if self.ok:
            return
        raise BuildFailedError(str(self)) from self.error

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [f"build {self.build_id} {self.status} in {self.duration_s:.2f} s: {self.counts}"]
        if self.status in ("cancelled", "exited_early"):
            lines.append(f"  {self.reason}")
        lines.extend(f"  failed   {failure}" for failure in self.failures)
        causes = Counter(repr(skip.cause) for skip in self.skipped)
        lines.extend(f"  skipped  {n} tasks because of {cause}" for cause, n in causes.items())
        return "\n".join(lines)
