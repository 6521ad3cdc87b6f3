"""Attempts in the thread that drives the build, one after the other: pdb works there."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from stardag.build.attempt import advance, advance_aio
from stardag.build.executors.port import Executor
from stardag.build.locks import perform_leased

if TYPE_CHECKING:
    from asyncio import Runner

    from stardag._task import BaseTask
    from stardag.build.attempt import Attempt, Outcome
    from stardag.build.executors.port import Ended


class InlineExecutor(Executor):
    """Runs each attempt when it is submitted, before `submit` returns."""

    def __init__(self) -> None:
        """Make the executor; an event loop is made when a task needs one."""
        self._runner: Runner | None = None

    @property
    def slots(self) -> int:
        """One."""
        return 1

    def choose(self, task: BaseTask) -> Executor | None:
        """Run everything, but what needs an event loop where one is running in this thread."""
        return self if task._form.sync or not _loop_is_running() else None

    def submit(self, attempt: Attempt, ended: Ended) -> None:
        """Run the attempt. Raises KeyboardInterrupt where it comes."""
        perform = advance if attempt.task._form.sync else self._run_aio
        ended(attempt, perform_leased(attempt, perform))

    def discard(self, attempt: Attempt) -> None:
        """Close the generator, in the event loop if it is that of an `async def`."""
        if self._runner is not None and isinstance(attempt.generator, AsyncGenerator):
            self._runner.run(attempt.generator.aclose())
        else:
            super().discard(attempt)

    def close(self) -> None:
        """End the event loop, if there was one."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _run_aio(self, attempt: Attempt) -> Outcome:
        import asyncio

        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(advance_aio(attempt))


def _loop_is_running() -> bool:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
