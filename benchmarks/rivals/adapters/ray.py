"""Ray: remote functions, values through its object store."""

from __future__ import annotations

from contextlib import contextmanager

import ray
from workload import TASKS, WIDTH, WORKERS, main, needs, value, write


def layers(_: str) -> list[int]:
    remote = ray.remote(value)
    nodes: list = []
    for n in range(TASKS):
        nodes.append(remote.remote(*(nodes[i] for i in needs(n) or ())))
    return ray.get(nodes[-WIDTH:])


def files(folder: str) -> None:
    remote = ray.remote(write)
    ray.get([remote.remote(folder, n) for n in range(TASKS)])


@contextmanager
def cluster():
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


if __name__ == "__main__":
    main(layers=layers, files=files, services=cluster())
