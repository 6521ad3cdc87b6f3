"""A process may die between any two steps from append to acknowledgement: nothing is lost."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from own_postgres import OwnPostgres
from support.waiting import until

from .checks import findings
from .planted.fail_points import FAIL_POINTS
from .stage import Stage

_QUICK = {"frame_half_written", "death_said_but_no_end", "committed_but_not_told"}
"""Those that are tried each time: one in each process."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in _QUICK else [pytest.mark.slow])
        for name in FAIL_POINTS
    ],
)
def test_a_process_may_die_at(name: str, tmp_path: Path, postgres: OwnPostgres) -> None:
    point = FAIL_POINTS[name]
    with Stage(tmp_path, postgres, plant=name) as stage:
        builder = stage.start_builder("whole")
        if point.orphans:
            until(lambda: len(builder.journal()) > 50, "the builder to have begun")
            builder.kill()
            builder.collect()
        until(lambda: somebody_died(stage), f"somebody to come to {name}", 60)
        if point.process == "server":
            assert stage.server.wait() == -signal.SIGKILL
            stage.start(stage.server)
        stage.settle()
        killed = any(builder.killed for builder in stage.builders)
        assert killed is (point.orphans or point.process == "builder")
        assert findings(stage) == []


def somebody_died(stage: Stage) -> bool:
    """Return whether the fail point was passed; go on building until it is."""
    if stage.mark.exists():
        return True
    if not stage.builders[-1].runs():
        stage.start_builder("whole")
    return False
