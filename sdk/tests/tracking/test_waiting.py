"""What waits on this machine is counted, and told with what to do about it."""

from __future__ import annotations

from pathlib import Path

from stardag.cli.doctor.spool_checks import spool_checks
from stardag.config import Config
from stardag.tracking.spool.delivery import Delivery, SenderStatus, write_delivery, write_status
from stardag.tracking.spool.lease import take_lease
from stardag.tracking.spool.waiting import waiting_spools

from .test_sync import STARTED_AND_COMPLETED, abandoned_stream


def config(state_dir: Path, address: str | None) -> Config:
    return Config.model_validate(
        {"tracking": {"state_dir": str(state_dir)}, "server": {"address": address}}
    )


def spool(state_dir: Path, name: str) -> Path:
    return state_dir / "spool" / name


def test_what_is_not_delivered_is_counted(tmp_path: Path) -> None:
    assert waiting_spools(tmp_path) == []
    stream = abandoned_stream(spool(tmp_path, "local"), STARTED_AND_COMPLETED)
    abandoned_stream(spool(tmp_path, "traces+0a"), STARTED_AND_COMPLETED)
    (found,) = waiting_spools(tmp_path)
    assert (found.directory, found.events, found.undelivered) == (stream.parent, 2, True)
    write_delivery(stream, Delivery(acked=1, problem="damaged"))
    (found,) = waiting_spools(tmp_path)
    assert (found.events, found.problems) == (1, {stream.name: "damaged"})
    write_delivery(stream, Delivery(acked=2))
    (found,) = waiting_spools(tmp_path)
    assert (found.events, found.undelivered) == (0, False)


def test_a_damaged_note_of_what_was_delivered_counts_as_none(tmp_path: Path) -> None:
    stream = abandoned_stream(spool(tmp_path, "local"), STARTED_AND_COMPLETED)
    for damage in (b"[]", b"{", b"\xff", b"null"):
        (stream / "delivery.json").write_bytes(damage)
        (found,) = waiting_spools(tmp_path)
        assert (found.events, found.problems) == (2, {})


def test_each_spool_that_is_not_on_its_way_is_told_with_what_to_do(tmp_path: Path) -> None:
    here = spool(tmp_path, "127.0.0.1_7465-0a1b2c3d4e")
    abandoned_stream(here, STARTED_AND_COMPLETED)
    (later,) = spool_checks(config(tmp_path, None))
    assert (later.ok, "set STARDAG_SERVER" in later.action) == (True, True)
    (other,) = spool_checks(config(tmp_path, "127.0.0.1:7466"))
    assert (other.ok, "for another server" in other.action) == (False, True)
    (idle,) = spool_checks(config(tmp_path, "127.0.0.1:7465"))
    assert (idle.ok, idle.action) == (False, "run `stardag sync`")

    lease = take_lease(here, "sender")
    assert lease is not None
    try:
        write_status(here, SenderStatus(1, "refused", "who are you?"))
        (refused,) = spool_checks(config(tmp_path, "127.0.0.1:7465"))
        assert (refused.ok, "refused: who are you?" in refused.detail) == (False, True)
        write_status(here, SenderStatus(1, "connected"))
        (moving,) = spool_checks(config(tmp_path, "127.0.0.1:7465"))
        assert (moving.ok, "on their way" in moving.detail) == (True, True)
    finally:
        lease.release()
