"""joblib: a pool of processes; `Memory` remembers what was written.

It has no graph: each layer is a loop of its own.
"""

from __future__ import annotations

from joblib import Memory, Parallel, delayed
from workload import TASKS, WIDTH, WORKERS, main, needs, value, write


def layers(_: str) -> list[int]:
    values: list[int] = []
    with Parallel(n_jobs=WORKERS) as parallel:
        for first in range(0, TASKS, WIDTH):
            inputs = [[values[i] for i in needs(n) or ()] for n in range(first, first + WIDTH)]
            values += parallel(delayed(value)(*one) for one in inputs)
    return values[-WIDTH:]


def files(folder: str) -> None:
    cached = Memory(f"{folder}/memory", verbose=0).cache(write)
    Parallel(n_jobs=WORKERS)(delayed(cached)(folder, n) for n in range(TASKS))


if __name__ == "__main__":
    main(layers=layers, files=files)
