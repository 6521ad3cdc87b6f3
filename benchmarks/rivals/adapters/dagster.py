"""Dagster: assets materialized in the process itself; its event log is in memory."""

from __future__ import annotations

import dagster
from workload import TASKS, WIDTH, main, needs, value, write


def node(n: int):
    inputs = {f"input_{i}": dagster.AssetIn(f"node_{i}") for i in needs(n) or ()}

    @dagster.asset(name=f"node_{n}", ins=inputs)
    def asset(**values: int) -> int:
        return value(*values.values())

    return asset


def small(folder: str, n: int):
    @dagster.asset(name=f"small_{n}")
    def asset() -> dagster.MaterializeResult:
        return dagster.MaterializeResult(metadata={"path": write(folder, n)})

    return asset


def materialize(assets: list) -> dagster.ExecuteInProcessResult:
    with dagster.DagsterInstance.ephemeral() as instance:
        resources = {"io_manager": dagster.mem_io_manager}
        done = dagster.materialize(assets, instance=instance, resources=resources)
    assert done.success
    return done


def layers(_: str) -> list[int]:
    done = materialize([node(n) for n in range(TASKS)])
    return [done.output_for_node(f"node_{n}") for n in range(TASKS - WIDTH, TASKS)]


def files(folder: str) -> None:
    materialize([small(folder, n) for n in range(TASKS)])


if __name__ == "__main__":
    main(layers=layers, files=files)
