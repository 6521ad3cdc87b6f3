"""Hamilton: functions parametrized into nodes; the files are those that its cache keeps."""

from __future__ import annotations

import sys

from hamilton import driver
from hamilton.function_modifiers import cache, parameterize, source
from hamilton.function_modifiers import value as literal
from workload import TASKS, WIDTH, main, needs, value

LEAVES = {f"node_{n}": {"n": literal(n)} for n in range(WIDTH)}
NODES = {
    f"node_{n}": {"left": source(f"node_{left}"), "right": source(f"node_{right}")}
    for n in range(WIDTH, TASKS)
    for left, right in [needs(n)]
}
FILES = {f"small_{n}": {"n": literal(n)} for n in range(TASKS)}
HERE = sys.modules[__name__]


def define_layers() -> None:
    @parameterize(**LEAVES)
    def leaf(n: int) -> int:
        return value()

    @parameterize(**NODES)
    def node(left: int, right: int) -> int:
        return value(left, right)

    HERE.leaf, HERE.node = leaf, node


def define_files() -> None:
    @cache(format="json")
    @parameterize(**FILES)
    def small(n: int) -> dict:
        return {"n": n}

    HERE.small = small


def layers(_: str) -> list[int]:
    define_layers()
    names = [f"node_{n}" for n in range(TASKS - WIDTH, TASKS)]
    made = driver.Builder().with_modules(HERE).build().execute(names)
    return [made[name] for name in names]


def files(folder: str) -> None:
    define_files()
    runner = driver.Builder().with_modules(HERE).with_cache(path=folder).build()
    runner.execute(list(FILES))


if __name__ == "__main__":
    main(layers=layers, files=files)
