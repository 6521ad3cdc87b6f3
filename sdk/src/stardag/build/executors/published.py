"""The executors that the 0.1 series had, for programs that were written for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stardag.build.executors.port import Executor
from stardag.build.executors.router import RoutingExecutor
from stardag.build.executors.threads import ThreadExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from stardag._task import BaseTask

TaskExecutorABC = Executor


class HybridConcurrentTaskExecutor(ThreadExecutor):
    """A `ThreadExecutor`; tasks with an `async def` form run in the build's event loop."""

    def __init__(
        self,
        execution_mode_selector: None = None,
        max_async_workers: int = 10,
        max_thread_workers: int = 10,
        max_process_workers: int | None = None,
    ) -> None:
        """Use `max_thread_workers` threads at most; the rest has no effect.

        Raises `TypeError` for an `execution_mode_selector`: a `RoutingExecutor` does that.
        """
        if execution_mode_selector is not None:
            raise TypeError("execution_mode_selector is no option any more: use RoutingExecutor")
        super().__init__(max_thread_workers)


class RoutedTaskExecutor(RoutingExecutor):
    """A `RoutingExecutor` that sends each task to the executor whose key `router` returns."""

    def __init__(
        self, executors: Mapping[Any, Executor], router: Callable[[BaseTask], Hashable]
    ) -> None:
        """Make the router. A key that there is no executor for raises `KeyError`."""
        super().__init__(next(iter(executors.values())), by=lambda task: executors[router(task)])
