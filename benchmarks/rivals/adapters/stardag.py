"""Stardag: this one and the published releases, whose names for all of this are the same."""

from __future__ import annotations

import stardag as sd
from stardag.target import TargetFactory, target_factory_provider
from workload import TASKS, WIDTH, main, mode, needs, value


@sd.task
def leaf(n: int) -> int:
    return value()


@sd.task
def node(n: int, left: sd.Depends[int], right: sd.Depends[int]) -> int:
    return value(left, right)


@sd.task
def small(n: int) -> dict[str, int]:
    return {"n": n}


def build(tasks: list, factory: TargetFactory) -> None:
    with target_factory_provider.override(factory):
        if mode() == "inline":
            sd.build_sequential(tasks)
        elif mode() == "processes":
            sd.build(tasks, executor=sd.ProcessExecutor())
        else:
            sd.build(tasks)


def layers(folder: str) -> list[int]:
    tasks: list = []
    for n in range(TASKS):
        below = needs(n)
        below_tasks = below and {"left": tasks[below[0]], "right": tasks[below[1]]}
        tasks.append(node(n=n, **below_tasks) if below_tasks else leaf(n=n))
    factory = on_disk(folder) if mode() == "processes" else in_memory()
    build(tasks[-WIDTH:], factory)
    with target_factory_provider.override(factory):
        return [output(task).load() for task in tasks[-WIDTH:]]


def files(folder: str) -> None:
    build([small(n=n) for n in range(TASKS)], on_disk(folder))


def on_disk(folder: str) -> TargetFactory:
    return TargetFactory({"default": folder})


def in_memory() -> TargetFactory:
    try:
        from stardag.target.stores.memory import MemoryStore
    except ImportError:
        from stardag import target

        names = ("InMemoryFileTarget", "InMemoryFileSystemTarget")
        found = [getattr(target, name) for name in names if hasattr(target, name)]
        return TargetFactory({"default": "memory://root"}, {"memory://": found[0]})
    return TargetFactory({"default": "memory://root"}, {"memory": MemoryStore()})


def output(task):
    return task.target() if hasattr(task, "target") else task.output()


if __name__ == "__main__":
    main(layers=layers, files=files)
