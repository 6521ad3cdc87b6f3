"""The port that everything fills which can run an attempt at a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from stardag._task import BaseTask
    from stardag.build.attempt import Attempt, Outcome

Ended: TypeAlias = "Callable[[Attempt, Outcome], None]"
"""Takes how an attempt ended; may be called from any thread, and returns at once."""


class Executor(ABC):
    """Runs attempts at tasks. One contract suite runs on every executor.

    A build submits attempts from one thread, no more at once than `slots`, and closes the executor
    at its end; it can then be used again, for the next build. Nothing that costs happens before
    the first attempt.
    """

    @property
    @abstractmethod
    def slots(self) -> int:
        """Most attempts at once, 1 or more."""

    @abstractmethod
    def submit(self, attempt: Attempt, ended: Ended) -> None:
        """Begin, or resume, an attempt. Calls `ended` once, when it has ended or yielded.

        Nothing that the task raises is raised here, but KeyboardInterrupt where the task runs in
        the caller's thread.
        """

    def choose(self, task: BaseTask) -> Executor | None:
        """Return which executor is to run a task: this one, unless it passes tasks on.

        None says that a task with an `async def` form alone is for the event loop of the build.
        """
        return self if task._form.sync else None

    def stop(self, attempt: Attempt) -> None:
        """Ask a running attempt to end soon: `ended` is called all the same."""
        attempt.stop()

    def discard(self, attempt: Attempt) -> None:
        """Close what a suspended attempt holds that will not be resumed.

        Raises what the task's own clean-up raises.
        """
        if isinstance(attempt.generator, Generator):
            attempt.generator.close()

    @abstractmethod
    def close(self) -> None:
        """Release what is held. Attempts that still run are left to themselves, or killed."""
