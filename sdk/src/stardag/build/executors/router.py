"""Which of several executors runs which task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag.build.executors.port import Executor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stardag._task import BaseTask
    from stardag.build.attempt import Attempt
    from stardag.build.executors.port import Ended


class RoutingExecutor(Executor):
    """Passes tasks on: by what a function says, by type, by the resources that they need.

        RoutingExecutor(ThreadExecutor(), by_resource={"gpu": ProcessExecutor(2)})

    The first that applies decides: `by` (None from it leaves the task to the others); the most
    specific class of `by_type`; the first name of `by_resource` that the task takes something
    of; `default`.
    """

    def __init__(
        self,
        default: Executor,
        *,
        by: Callable[[BaseTask], Executor | None] | None = None,
        by_type: Mapping[type[BaseTask], Executor] | None = None,
        by_resource: Mapping[str, Executor] | None = None,
    ) -> None:
        """Make the router. Each executor keeps its own slots."""
        self._default = default
        self._by = by
        self._by_type = dict(by_type or {})
        self._by_resource = dict(by_resource or {})

    @property
    def slots(self) -> int:
        """Those of the default; each executor has its own."""
        return self._default.slots

    def choose(self, task: BaseTask) -> Executor | None:
        """Return the executor that the task is passed on to."""
        return self._chosen(task).choose(task)

    def submit(self, attempt: Attempt, ended: Ended) -> None:
        """Never called, as no task stays here."""
        raise AssertionError("a router runs nothing itself")

    def close(self) -> None:
        """Nothing is held: those that were chosen are closed by the build."""

    def _chosen(self, task: BaseTask) -> Executor:
        if self._by is not None and (chosen := self._by(task)) is not None:
            return chosen
        for base in type(task).__mro__:
            if base in self._by_type:
                return self._by_type[base]
        for name, executor in self._by_resource.items():
            if task._execution.resources.get(name):
                return executor
        return self._default
