"""The cost of a task in builds of 1,000, 10,000 and 100,000: linear, and small in memory."""

from __future__ import annotations

import resource
import subprocess
import sys

from figures import at_most, report, seconds

from stardag import AutoTask, TargetFactory, TaskStruct, build_sequential, target_factory_provider
from stardag.target.stores.memory import MemoryStore

SIZES = (1_000, 10_000, 100_000)


class Noop(AutoTask[bytes]):
    n: int
    needs: tuple[AutoTask[bytes], ...] = ()

    def requires(self) -> TaskStruct:
        return self.needs

    def run(self) -> None:
        self.output().save(b"")


def layered(count: int) -> list[Noop]:
    """Return layers of a hundred tasks, each of which needs two of the layer below."""
    tasks: list[Noop] = []
    for n in range(count):
        below = tasks[n // 100 * 100 - 100 : n // 100 * 100] if n >= 100 else []
        needs = (below[n % 100], below[(n + 1) % 100]) if below else ()
        tasks.append(Noop(n=n, needs=needs))
    return tasks


def build_one(count: int) -> tuple[float, float]:
    """Return microseconds and kilobytes a task, of a build whose tasks have their ids."""
    tasks = layered(count)
    for task in tasks:
        _ = task.id
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    factory = TargetFactory({"default": "memory://root"}, {"memory": MemoryStore()})
    with target_factory_provider.override(factory):
        took = seconds(lambda: build_sequential(tasks[-100:]).raise_for_status())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return took / count * 1e6, grown / count


def in_a_process(count: int) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, __file__, str(count)], check=True, capture_output=True, text=True
    )
    cost, memory = done.stdout.split()
    return float(cost), float(memory)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].isdigit():
        print(*build_one(int(sys.argv[1])))
        sys.exit()
    runs = {count: [in_a_process(count) for _ in range(3)] for count in SIZES}
    cost = {count: sorted(c for c, _ in found)[1] for count, found in runs.items()}
    memory = sorted(m for _, m in runs[100_000])[1]
    small = cost[1_000]
    report(
        [
            at_most("build, 10,000 tasks", cost[10_000], "us", 1.2, floor=small, floors=True),
            at_most("build, 100,000 tasks", cost[100_000], "us", 1.2, floor=small, floors=True),
            at_most("memory of a build of 100,000 tasks", memory, "kB a task", 2),
        ]
    )
