"""Which executor runs a task, and what it takes of what is limited while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag._errors import ConfigError
from stardag._execution import exact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stardag._task import BaseTask
    from stardag.build.executors.port import Executor
    from stardag.build.frontier import Amount, Needs


_AT_ONCE = "attempts at once"


class Plan:
    """The executors of a build. Each has slots, which are a resource like any other."""

    def __init__(
        self,
        route: Callable[[BaseTask], Executor],
        capacities: Mapping[str, float],
        at_once: int | None,
        limit: Callable[[str, Amount], None],
    ) -> None:
        """Make a plan for a build that has `capacities`, and runs `at_once` attempts at most.

        `limit` is told of each limited resource before any task needs it.
        """
        self._route = route
        self._capacities = capacities
        self._limit = limit
        self._slots: dict[Executor, str] = {}
        self._needs: dict[tuple[type[BaseTask], Executor], Needs] = {}
        self._everywhere: Needs = () if at_once is None else ((_AT_ONCE, 1),)
        for name, amount in (*exact(capacities), (_AT_ONCE, at_once or 0)):
            limit(name, amount)

    def place(self, task: BaseTask) -> tuple[Executor, Needs]:
        """Return what runs a task, and what the task needs to run there.

        Raises `ConfigError` if the task needs more than there is.
        """
        executor = self._route(task)
        key = (type(task), executor)
        needs = self._needs.get(key)
        if needs is None:
            slot = (self._slot_of(executor), 1)
            needs = self._needs[key] = (slot, *self._everywhere, *self._resources_of(task))
        return executor, needs

    @property
    def executors(self) -> Iterable[Executor]:
        """The executors that tasks were placed with."""
        return self._slots

    def _slot_of(self, executor: Executor) -> str:
        slot = self._slots.get(executor)
        if slot is None:
            slot = self._slots[executor] = f"slots of executor {len(self._slots)}"
            self._limit(slot, executor.slots)
        return slot

    def _resources_of(self, task: BaseTask) -> Needs:
        needs = task._execution.needs()
        for name, amount in needs:
            if name in self._capacities and amount > self._capacities[name]:
                raise ConfigError(
                    f"{type(task).__qualname__} needs {float(amount):g} of {name!r}, and there is "
                    f"{self._capacities[name]:g}: see [resources] in the configuration"
                )
        return needs
