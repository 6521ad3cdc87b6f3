"""Whatever breaks while builds are tracked, the builds are the same, and all of them is told once.

A run that fails prints the command that repeats it, by its seed.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from own_postgres import OwnPostgres
from support.waiting import until

from .checks import findings
from .disk import SmallDisk
from .faults import Scene
from .journal import Kept
from .schedule import plan, run
from .stage import Stage

_SHORT, _LONG = 1, 4
"""Rounds, of some twenty seconds."""
_SHORT_SEED = 23  # of a round that is rather short
_SEED = os.environ.get("CHAOS_SEED")
_LONG_RUNS = 1 if _SEED else 20
_CLOCKS = "sender_of_jumping_clock server_of_jumping_clock"


@pytest.fixture
def scene(
    tmp_path: Path,
    postgres: OwnPostgres,
    disk: SmallDisk | None,
    database_disk: SmallDisk | None,
) -> Scene:
    stage = Stage(tmp_path, postgres, plant=_CLOCKS, servers=2)
    return Scene(stage, disk, database_disk)


def endure(scene: Scene, seed: int, rounds: int) -> None:
    with_disk = scene.disk is not None
    strikes = plan(seed, rounds, with_disk=with_disk)
    test = os.environ["PYTEST_CURRENT_TEST"].partition("[")[0].partition(" ")[0]
    print(f"CHAOS_SEED={seed} pytest {test}")
    print("(no disk is ever full, as none can be mounted)\n" * (not with_disk), end="")
    print(*strikes, sep="\n")
    with scene.stage as stage:
        run(scene, strikes, seed)
        stage.settle()
        killed = sum(builder.killed for builder in stage.builders)
        events = sum(len(builder.journal()) for builder in stage.builders)
        lost = sum(builder.lost() for builder in stage.builders)
        print(f"{len(stage.builders)} builds, {killed} killed; {events} events, {lost} lost")
        assert findings(stage) == []


def test_what_breaks_for_a_while_costs_time_and_nothing_else(scene: Scene) -> None:
    endure(scene, int(_SEED or _SHORT_SEED), _SHORT)


def test_a_stream_may_go_to_and_fro_between_servers(tmp_path: Path, postgres: OwnPostgres) -> None:
    with Stage(tmp_path, postgres, servers=2) as stage:
        stage.build_to_and_fro()
        stage.settle()
        assert findings(stage) == []


def test_what_a_full_disk_took_is_said(
    tmp_path: Path, postgres: OwnPostgres, disk: SmallDisk | None
) -> None:
    if disk is None:
        pytest.skip("this user may not mount a disk that is small")
    with Stage(tmp_path, postgres) as stage:
        with stage.begun("whole") as builder:
            disk.fill()
        until(builder.lost, "the disk to be full")
        disk.free()
        stage.settle()
        assert isinstance(builder.journal()[-1], Kept)
        assert findings(stage) == []


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("run_number", range(_LONG_RUNS))
def test_what_breaks_for_long_costs_time_and_nothing_else(scene: Scene, run_number: int) -> None:
    endure(scene, int(_SEED or random.randrange(1 << 32)), _LONG)
