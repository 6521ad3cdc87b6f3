"""A build of 1,000 no-op tasks with memory targets, against a topological loop calling `run`."""

from __future__ import annotations

from collections.abc import Callable

from figures import at_most, interleaved, report, seconds

from stardag import (
    AutoTask,
    TargetFactory,
    TaskStruct,
    build,
    build_sequential,
    target_factory_provider,
)
from stardag.build import BuildSummary
from stardag.target.stores.memory import MemoryStore

N = 1000


class Noop(AutoTask[bytes]):
    """Writes one byte."""

    n: int
    needs: tuple[AutoTask[bytes], ...] = ()

    def requires(self) -> TaskStruct:
        return self.needs

    def run(self) -> None:
        self.output().save(b"x")


def layered() -> list[Noop]:
    """Return ten layers of a hundred tasks, each of which needs two of the layer below."""
    tasks: list[Noop] = []
    for layer in range(10):
        below = tasks[-100:]
        for i in range(100):
            needs = (below[i], below[(i + 1) % 100]) if layer else ()
            tasks.append(Noop(n=layer * 100 + i, needs=needs))
    return tasks


def fresh() -> TargetFactory:
    return TargetFactory({"default": "memory://root"}, {"memory": MemoryStore()})


def measured(run: Callable[[list[Noop]], object]) -> Callable[[], float]:
    def measure() -> float:
        tasks = layered()
        for task in tasks:
            _ = task.id
        with target_factory_provider.override(fresh()):
            return seconds(lambda: run(tasks)) / N * 1e6

    return measure


def floor(tasks: list[Noop]) -> None:
    for task in tasks:
        if not task.complete():
            task.run()


def checked(build_it: Callable[[list[Noop]], BuildSummary]) -> Callable[[list[Noop]], None]:
    def run(tasks: list[Noop]) -> None:
        assert build_it(tasks[-100:]).counts.completed == N

    return run


if __name__ == "__main__":
    inline, threads, base = interleaved(
        measured(checked(build_sequential)), measured(checked(build)), measured(floor)
    )
    report(
        [
            at_most("build, 1,000 no-op tasks, inline", inline, "us a task", 20, floor=base),
            at_most("build, 1,000 no-op tasks, threads", threads, "us a task", 60, floor=base),
        ]
    )
