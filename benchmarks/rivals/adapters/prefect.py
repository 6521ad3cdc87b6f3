"""Prefect: a flow that submits tasks to threads; its server keeps every run."""

from __future__ import annotations

from prefect import flow, task
from prefect.cache_policies import INPUTS, NO_CACHE
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner
from workload import TASKS, WIDTH, WORKERS, main, needs, value, write


@task(cache_policy=NO_CACHE)
def node(inputs: list[int]) -> int:
    return value(*inputs)


@task(cache_policy=INPUTS, persist_result=True)
def small(folder: str, n: int) -> str:
    return write(folder, n)


@flow(task_runner=ThreadPoolTaskRunner(max_workers=WORKERS))
def all_layers() -> list[int]:
    nodes: list = []
    for n in range(TASKS):
        nodes.append(node.submit([nodes[i] for i in needs(n) or ()]))
    return [one.result() for one in nodes[-WIDTH:]]


@flow(task_runner=ThreadPoolTaskRunner(max_workers=WORKERS))
def all_files(folder: str) -> None:
    wait([small.submit(folder, n) for n in range(TASKS)])


if __name__ == "__main__":
    main(layers=lambda _: all_layers(), files=all_files)
