"""The names that the 0.1 series used, for programs that were written for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from stardag.build.executors import Executor, RoutingExecutor, ThreadExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from uuid import UUID

    from stardag._task import BaseTask

TaskExecutorABC = Executor


class PublishedOptions(TypedDict, total=False):
    """Keywords of `build` and its variants in the 0.1 series."""

    task_executor: Executor | None
    """`executor` now."""
    resume_build_id: UUID | None
    """`resume` now."""
    max_concurrent_discover: int
    """Without effect: existence is asked for in bulk."""
    dual_run_default: str
    """Without effect: tasks that run either way run as the build does."""
    sync_run_default: str
    """Without effect, as `dual_run_default`."""
    registry: None
    """None alone: where builds are reported to is configured."""
    global_lock_manager: None
    """None alone: `lock` says where leases come from."""
    global_lock_config: None
    """None alone, as `global_lock_manager`."""


_NOW = {"task_executor": "executor", "resume_build_id": "resume"}
_INSTEAD = {
    "registry": "builds report themselves where a server is configured, see STARDAG_SERVER",
    "global_lock_manager": "give lock=",
    "global_lock_config": "give lock=",
}
_WITHOUT_EFFECT = {"max_concurrent_discover", "dual_run_default", "sync_run_default"}


def renamed(published: Mapping[str, Any], **today: Any) -> dict[str, Any]:
    """Return the options in today's names, given those under their older ones.

    Raises `TypeError` for a name that never was one, for an option that is given twice, and for
    one that has no counterpart.
    """
    options = dict(today)
    for name, value in published.items():
        if name in _NOW:
            if value is not None and options.get(_NOW[name]) is not None:
                raise TypeError(f"{name} is the older name of {_NOW[name]}: give one of the two")
            options[_NOW[name]] = value if value is not None else options.get(_NOW[name])
        elif name in _INSTEAD:
            if value is not None:
                raise TypeError(f"{name} is no option any more: {_INSTEAD[name]}")
        elif name not in _WITHOUT_EFFECT:
            raise TypeError(f"build() got an unexpected keyword argument {name!r}")
    return options


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
