"""The checks see what they are for: processes that lose, double or hide something do not pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_postgres import OwnPostgres
from support.waiting import until

from .checks import findings
from .disk import SmallDisk
from .stage import Stage


def test_the_checks_see_a_server_that_acknowledges_too_early(
    tmp_path: Path, postgres: OwnPostgres
) -> None:
    with Stage(tmp_path, postgres, plant="server_that_acknowledges_too_early") as stage:
        stage.start_builder("small").collect()
        until(lambda: not stage.undelivered(), "all to be acknowledged")
        stage.server.kill()
        stage.start(stage.server)
        stage.settle()
        assert "is not stored" in "; ".join(findings(stage))


def test_the_checks_see_a_server_that_takes_events_again(
    tmp_path: Path, postgres: OwnPostgres
) -> None:
    with Stage(tmp_path, postgres, plant="server_that_takes_events_again") as stage:
        with stage.begun("whole"):
            until(stage.acknowledged, "an acknowledgement")
            stage.proxy.reset()
        stage.settle()
        assert "stored more than once" in "; ".join(findings(stage))


@pytest.mark.slow
def test_the_checks_see_a_server_that_trusts_its_memory(
    tmp_path: Path, postgres: OwnPostgres
) -> None:
    with Stage(tmp_path, postgres, plant="server_that_trusts_its_memory", servers=2) as stage:
        stage.build_to_and_fro()
        stage.settle()
        assert "is said to have" in "; ".join(findings(stage))


@pytest.mark.parametrize(
    "plant",
    [
        "sender_that_forgets_on_send",
        pytest.param("sender_that_skips_a_segment", marks=pytest.mark.slow),
        pytest.param("sender_that_takes_for_acknowledged", marks=pytest.mark.slow),
    ],
)
def test_the_checks_see_a(plant: str, tmp_path: Path, postgres: OwnPostgres) -> None:
    with Stage(tmp_path, postgres, plant=plant) as stage:
        stage.proxy.weather.refuses = True
        stage.start_builder("whole", pace_s=0.0).collect()  # so that all of it will be one batch
        stage.proxy.clear()
        until(stage.mark.exists, "it to have lost something")
        stage.settle()
        assert "is not stored" in "; ".join(findings(stage))


_SAID_OF = {
    "server_that_acknowledges_one_more": "was appended and is not stored",
    "server_that_changes_a_byte": "is not stored as it was appended",
    "server_that_reorders": "is stored after",
    "builder_that_says_more": "builder 0",
}


def test_the_checks_see_each_of_several_at_once(tmp_path: Path, postgres: OwnPostgres) -> None:
    with Stage(tmp_path, postgres, plant=" ".join(_SAID_OF)) as stage:
        stage.start_builder("small").collect()
        stage.settle()
        found = findings(stage)
    missed = [plant for plant, said in _SAID_OF.items() if said not in "; ".join(found)]
    assert missed == []


def test_the_checks_see_a_builder_that_hides_what_it_lost(
    tmp_path: Path, postgres: OwnPostgres, disk: SmallDisk | None
) -> None:
    if disk is None:
        pytest.skip("this user may not mount a disk that is small")
    with Stage(tmp_path, postgres, plant="builder_that_hides_what_it_lost") as stage:
        with stage.begun("whole") as builder:
            disk.fill()
        until(builder.lost, "the disk to be full")
        disk.free()
        stage.settle()
        assert "were lost, and 0 are said to be" in "; ".join(findings(stage))
