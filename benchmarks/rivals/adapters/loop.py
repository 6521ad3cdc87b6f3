"""The floor: a loop over the tasks in order, nothing but the work."""

from __future__ import annotations

import os

from workload import TASKS, WIDTH, main, needs, value, write


def layers(_: str) -> list[int]:
    values: list[int] = []
    for n in range(TASKS):
        values.append(value(*(values[i] for i in needs(n) or ())))
    return values[-WIDTH:]


def files(folder: str) -> None:
    for n in range(TASKS):
        if not os.path.exists(f"{folder}/{n}.json"):  # noqa: PTH110
            write(folder, n)


if __name__ == "__main__":
    main(layers=layers, files=files)
