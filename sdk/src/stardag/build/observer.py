"""The port through which a build tells what happens, and all it knows of tracking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from stardag.assets import Asset

BuildStatus = Literal["completed", "failed", "cancelled", "exited_early"]


class ObservedTask(Protocol):
    """What an observer may ask of a task; every `BaseTask` offers it."""

    @property
    def id(self) -> UUID:
        """The task's id."""
        ...

    @property
    def version(self) -> str:
        """Version of the task's code, empty if unversioned."""
        ...

    @classmethod
    def get_namespace(cls) -> str:
        """Namespace of the task type, empty for none."""
        ...

    @classmethod
    def get_name(cls) -> str:
        """Name of the task type."""
        ...

    def identity_and_params_json(self) -> tuple[str, str]:
        """Return the exact text that is hashed into the id, and every parameter as JSON.

        The latter is an object with nested tasks as `{"id": ...}`.
        """
        ...

    def output_uri(self) -> str | None:
        """Return where the output is, or None if the task has no such place."""
        ...


class BuildView(Protocol):
    """A build, as one may look at it while it runs: from any thread, and nothing here waits."""

    @property
    def closed(self) -> bool:
        """Whether nothing more is to be started: something failed, or the build is to stop."""
        ...

    def waiting_for(self, task: ObservedTask) -> Sequence[ObservedTask]:
        """Return the tasks that wait for this one, directly."""
        ...

    def unmet(self, task: ObservedTask) -> int:
        """Return how many tasks this one waits for, directly."""
        ...

    def is_done(self, task: ObservedTask) -> bool:
        """Return whether the task's output is known to be there."""
        ...


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """What is known of a build when it starts."""

    id: UUID
    """UUIDv7; its bytes are the trace id."""
    roots: Sequence[ObservedTask]
    description: str = ""
    labels: Mapping[str, str] | None = None
    view: BuildView | None = None
    """How to ask for more; None if there is no way."""
    trace_parent: str = ""
    """The span within which it was started, as a W3C `traceparent`; empty for none."""


class BuildObserver(Protocol):
    """Is told every transition of one build, in order per attempt.

    Calls may come from several threads at once. They never raise and never
    wait, but for `wait_delivered`: a build's outcome doesn't depend on who
    watches it.
    """

    @property
    def listens(self) -> bool:
        """Whether anybody wants to know what tasks say while they run."""
        ...

    def build_started(self, build: BuildInfo) -> None:
        """Begin; the first call of all."""
        ...

    def task_pending(self, task: ObservedTask, dependencies: Sequence[ObservedTask]) -> None:
        """Note that the task belongs to the build and waits for `dependencies` or a worker."""
        ...

    def task_reused(self, task: ObservedTask, dependencies: Sequence[ObservedTask]) -> None:
        """Note that the task's output existed already; what it was made of is not looked at."""
        ...

    def task_started(self, task: ObservedTask, attempt: int) -> None:
        """Note that attempt number `attempt` (from 1) is about to run."""
        ...

    def task_leased(self, task: ObservedTask, token: int) -> None:
        """Note that the task's next attempt runs under a lease with this fencing token."""
        ...

    def task_blocked(self, task: ObservedTask, attempt: int) -> None:
        """Note that another build holds the task's lease."""
        ...

    def task_suspended(
        self,
        task: ObservedTask,
        attempt: int,
        waits_for: Sequence[ObservedTask],
        *,
        restarts: bool,
    ) -> None:
        """Note that the attempt yielded dynamic dependencies and waits for them.

        With `restarts`, it runs again from its beginning when it is resumed.
        """
        ...

    def task_resumed(self, task: ObservedTask, attempt: int) -> None:
        """Note that a suspended attempt goes on."""
        ...

    def task_progressed(
        self, task: ObservedTask, attempt: int, fraction: float, message: str
    ) -> None:
        """Note how much of the attempt is done, 0 to 1, and at what it is."""
        ...

    def asset_shown(self, task: ObservedTask, asset: Asset) -> None:
        """Keep an asset of the task."""
        ...

    def task_completed(self, task: ObservedTask, attempt: int) -> None:
        """Note that the output is in place."""
        ...

    def task_failed(
        self, task: ObservedTask, attempt: int, error: BaseException, will_retry: bool
    ) -> None:
        """Note that the attempt ended with `error`."""
        ...

    def task_skipped(self, task: ObservedTask, cause: ObservedTask) -> None:
        """Note that the task will not run because `cause` did not complete."""
        ...

    def task_cancelled(self, task: ObservedTask, attempt: int) -> None:
        """Note that the task was stopped, or not started, on request; attempt 0 if none ran."""
        ...

    def build_ended(self, status: BuildStatus, reason: str) -> None:
        """Note how the build ended; the last event."""
        ...

    def stop_requested(self) -> str | None:
        """Return why somebody elsewhere asked the build to stop; None if nobody did."""
        ...

    def wait_delivered(self, timeout: float) -> None:
        """Wait up to `timeout` seconds until all of it is where it goes, and say so if not."""
        ...
