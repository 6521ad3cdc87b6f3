"""Attempts in an event loop: that of the caller, or one in a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, Any, cast

from stardag.build.attempt import Attempt, Failed, advance_aio
from stardag.build.executors.port import Executor
from stardag.build.locks import perform_leased_aio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from stardag.build.attempt import Outcome
    from stardag.build.executors.port import Ended

SLOTS = 100
"""Attempts at once, by default: what waits costs little, but connections and memory end."""


class EventLoopExecutor(Executor):
    """Runs the `async def` form of tasks, all of a build in one loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop | None = None, slots: int | None = None
    ) -> None:
        """Use `loop`, or else one in a thread that is started with the first attempt."""
        self._given = self._loop = loop
        self._slots = slots or SLOTS
        self._thread: threading.Thread | None = None
        self._tasks: dict[Attempt, asyncio.Task[Outcome]] = {}

    @property
    def slots(self) -> int:
        """How many there may be at once."""
        return self._slots

    def submit(self, attempt: Attempt, ended: Ended) -> None:
        """Make the attempt a task of the loop, in the caller's context."""
        self._running_loop().call_soon_threadsafe(
            self._begin, attempt, ended, contextvars.copy_context()
        )

    def stop(self, attempt: Attempt) -> None:
        """Cancel the loop's task."""
        super().stop(attempt)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel, attempt)

    def discard(self, attempt: Attempt) -> None:
        """Have the loop close the generator, soon; what that raises, nobody hears."""
        if self._loop is None or attempt.generator is None:
            return
        generator = cast("AsyncGenerator[Any, Any]", attempt.generator)
        asyncio.run_coroutine_threadsafe(generator.aclose(), self._loop)

    def close(self) -> None:
        """End the loop that this made, and cancel what still runs there."""
        if self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread = None
            self._loop = self._given

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            loop = self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_serve, args=(loop,), name="stardag-loop", daemon=True
            )
            self._thread.start()
        return self._loop

    def _begin(self, attempt: Attempt, ended: Ended, context: contextvars.Context) -> None:
        assert self._loop is not None

        def end(task: asyncio.Task[Outcome]) -> None:
            del self._tasks[attempt]
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            ended(attempt, Failed(error) if error is not None else task.result())

        coroutine = perform_leased_aio(attempt, advance_aio)
        task = self._tasks[attempt] = self._loop.create_task(coroutine, context=context)
        task.add_done_callback(end)

    def _cancel(self, attempt: Attempt) -> None:
        if attempt in self._tasks:
            self._tasks[attempt].cancel()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped, and clean up after it as `asyncio.run` does."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
