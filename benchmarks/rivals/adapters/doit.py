"""doit: tasks are dictionaries, run in the process itself; its database says what is up to date."""

from __future__ import annotations

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from workload import TASKS, WIDTH, main, needs, value, write

VALUES: dict[int, int] = {}


def run(folder: str, creator) -> None:
    config = {"dep_file": f"{folder}/doit.db", "reporter": "error-only", "verbosity": 0}
    loader = ModuleTaskLoader({"DOIT_CONFIG": config, "task_it": creator})
    assert DoitMain(loader).run(["run"]) == 0


def work(n: int) -> None:
    VALUES[n] = value(*(VALUES[i] for i in needs(n) or ()))


def layers(folder: str) -> list[int]:
    def tasks():
        for n in range(TASKS):
            below = [f"it:{i}" for i in needs(n) or ()]
            yield {"name": str(n), "actions": [(work, [n])], "task_dep": below}

    run(folder, tasks)
    return [VALUES[n] for n in range(TASKS - WIDTH, TASKS)]


def files(folder: str) -> None:
    def act(n: int) -> None:
        write(folder, n)

    def tasks():
        for n in range(TASKS):
            target = f"{folder}/{n}.json"
            yield {
                "name": str(n),
                "actions": [(act, [n])],
                "targets": [target],
                "uptodate": [True],
            }

    run(folder, tasks)


if __name__ == "__main__":
    main(layers=layers, files=files)
