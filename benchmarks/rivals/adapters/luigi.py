"""Luigi: one worker, which runs tasks in the process itself; with more, each task is a fork.

The layers' outputs are in memory. A task found complete is not asked again (a setting of Luigi's).
"""

from __future__ import annotations

import json
import os

import luigi
from workload import TASKS, WIDTH, main, mode, needs, value


VALUES: dict[int, int] = {}


class Value(luigi.Target):
    def __init__(self, n: int) -> None:
        self.n = n

    def exists(self) -> bool:
        return self.n in VALUES


class Node(luigi.Task):
    n = luigi.IntParameter()

    def requires(self):
        return [Node(n=i) for i in needs(self.n) or ()]

    def output(self):
        return Value(self.n)

    def run(self):
        VALUES[self.n] = value(*(VALUES[target.n] for target in self.input()))


class Small(luigi.Task):
    n = luigi.IntParameter()
    folder = luigi.Parameter()

    def output(self):
        return luigi.LocalTarget(f"{self.folder}/{self.n}.json")

    def run(self):
        with self.output().open("w") as file:
            json.dump({"n": self.n}, file)


def build(tasks: list[luigi.Task]) -> None:
    luigi.configuration.get_config().set("worker", "cache_task_completion", "true")
    where = {"local_scheduler": True}
    if mode() == "luigid":
        where = {"scheduler_url": f"http://{os.environ['RIVALS_SERVER']}"}
    assert luigi.build(tasks, workers=1, log_level="ERROR", no_lock=True, **where)


def layers(_: str) -> list[int]:
    tasks = [Node(n=n) for n in range(TASKS - WIDTH, TASKS)]
    build(tasks)
    return [VALUES[task.n] for task in tasks]


def files(folder: str) -> None:
    build([Small(n=n, folder=folder) for n in range(TASKS)])


if __name__ == "__main__":
    main(layers=layers, files=files)
