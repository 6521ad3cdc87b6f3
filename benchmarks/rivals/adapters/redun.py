"""redun: expressions, evaluated by its scheduler with threads; every call is kept in SQLite.

What is known of a whole call is checked by its results alone (`shallow`), the faster of two ways.
"""

from __future__ import annotations

import logging

from redun import File, Scheduler, task
from redun.config import Config
from workload import TASKS, WIDTH, WORKERS, main, needs, value, write

redun_namespace = "rivals"


@task()
def node(n: int, inputs: list[int]) -> int:
    return value(*inputs)


@task()
def small(folder: str, n: int) -> File:
    return File(write(folder, n))


@task(check_valid="shallow")
def all_layers() -> list[int]:
    nodes: list = []
    for n in range(TASKS):
        nodes.append(node(n, [nodes[i] for i in needs(n) or ()]))
    return nodes[-WIDTH:]


@task(check_valid="shallow")
def all_files(folder: str) -> list[File]:
    return [small(folder, n) for n in range(TASKS)]


def run(folder: str, expression):
    logging.getLogger("redun").setLevel(logging.ERROR)
    executor = {"type": "local", "max_workers": str(WORKERS)}
    backend = {"db_uri": f"sqlite:///{folder}/redun.db"}
    scheduler = Scheduler(config=Config({"backend": backend, "executors.default": executor}))
    scheduler.load()
    return scheduler.run(expression)


def layers(folder: str) -> list[int]:
    return run(folder, all_layers())


def files(folder: str) -> None:
    run(folder, all_files(folder))


if __name__ == "__main__":
    main(layers=layers, files=files)
