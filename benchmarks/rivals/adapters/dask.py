"""Dask: delayed functions, in a pool of threads or on the distributed scheduler."""

from __future__ import annotations

from contextlib import nullcontext

import dask
from workload import TASKS, WIDTH, WORKERS, main, mode, needs, value, write

DISTRIBUTED = mode() == "distributed"


def compute(roots: list) -> list:
    if DISTRIBUTED:
        return list(dask.compute(*roots))
    return list(dask.compute(*roots, scheduler="threads", num_workers=WORKERS))


def layers(_: str) -> list[int]:
    delayed = dask.delayed(value)
    nodes: list = []
    for n in range(TASKS):
        nodes.append(delayed(*(nodes[i] for i in needs(n) or ())))
    return compute(nodes[-WIDTH:])


def files(folder: str) -> None:
    delayed = dask.delayed(write)
    compute([delayed(folder, n) for n in range(TASKS)])


def cluster():
    if not DISTRIBUTED:
        return nullcontext()
    from distributed import Client

    return Client(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None)


if __name__ == "__main__":
    main(layers=layers, files=files, services=cluster())
