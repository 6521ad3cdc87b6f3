"""`deliver` brings home what is left, and may be run as often as one likes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from stardag import ConfigError
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.tracking.sender.sync import SyncReport, deliver
from stardag.tracking.spool import frames
from stardag.tracking.spool.delivery import (
    Delivery,
    SenderStatus,
    write_delivery,
    write_status,
)
from stardag.tracking.spool.names import spool_name
from stardag.tracking.spool.reader import SpoolReader
from stardag.tracking.spool.streams import (
    StreamHeader,
    create_stream,
    lock_if_orphaned,
    stream_directories,
)
from stardag.v1 import event_pb2

from .conftest import MakeConfig, sender_pids
from .event_server import EventServer, Journal
from .tasks import run, types_of_run
from .test_sender import exactly_once
from .test_tracker import tracker
from .waiting import until

NONE = Credential()
SECRET = Credential(token="secret")
STARTED = [event_pb2.EVENT_TYPE_BUILD_STARTED]
STARTED_AND_COMPLETED = [*STARTED, event_pb2.EVENT_TYPE_BUILD_COMPLETED]


def abandoned_stream(
    spool: Path,
    types: list[event_pb2.EventType.ValueType],
    *,
    host: str | None = None,
    traced: bool = False,
    address: str | None = None,
) -> Path:
    """Make a stream whose writer is gone, with an event of each type."""
    here = host is None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip() if here else "other"
    who = StreamHeader(
        str(uuid.uuid4()),
        "test/1",
        host or socket.gethostname(),
        1,
        boot,
        address if here else "far:1",
        traced,
    )
    stream = create_stream(spool, who, max_bytes=1 << 20)
    build = uuid.uuid4().bytes
    for kind in types:
        event = event_pb2.NewEvent(build_id=build, type=kind, event_time_us=5, monotonic_us=5)
        stream.append(frames.body(event.SerializeToString()))
    stream.release()
    return stream.directory


async def test_offline_builds_are_delivered_once_however_often_one_asks(
    config: MakeConfig, server: EventServer, journal: Journal, state_dir: Path
) -> None:
    observer = tracker(config(None, offline=True, quiet=True))
    run(observer, 5)
    address = parse_address(server.address)
    count = len(types_of_run(5))
    assert await deliver(state_dir, address, NONE) == SyncReport(delivered=count)
    assert await deliver(state_dir, address, NONE) == SyncReport()
    assert exactly_once(journal, types_of_run(5))
    run(observer, 1)
    assert await deliver(state_dir, address, NONE) == SyncReport(delivered=len(types_of_run(1)))


async def test_a_server_restored_from_a_backup_gets_what_it_had_if_one_asks_for_that(
    config: MakeConfig, server: EventServer, journal: Journal, state_dir: Path
) -> None:
    address = parse_address(server.address)
    spool = state_dir / "spool" / spool_name(config(server.address), address)
    streams = {abandoned_stream(spool, STARTED_AND_COMPLETED).name for _ in range(2)}
    await deliver(state_dir, address, SECRET)
    lost, kept = sorted(streams)
    journal.events = {kept: journal.events[kept]}
    assert await deliver(state_dir, address, SECRET) == SyncReport()
    assert await deliver(state_dir, address, NONE, again=True) == SyncReport()
    assert await deliver(state_dir, address, SECRET, again=True) == SyncReport(delivered=2)
    assert {name: len(events) for name, events in journal.events.items()} == {lost: 2, kept: 2}
    assert await deliver(state_dir, address, SECRET, again=True) == SyncReport()


async def test_what_is_to_be_sent_again_remains_while_no_server_answers(
    config: MakeConfig, server: EventServer, state_dir: Path
) -> None:
    nowhere = parse_address("127.0.0.1:1")
    spool = state_dir / "spool" / spool_name(config(str(nowhere)), nowhere)
    abandoned_stream(spool, STARTED_AND_COMPLETED)
    await deliver(state_dir, parse_address(server.address), SECRET)
    report = await deliver(state_dir, nowhere, SECRET, again=True)
    assert report.remaining == 2


async def test_what_was_recorded_with_another_credential_goes_with_this_one_only_if_one_asks(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    spool = state_dir / "spool" / "of-another-workspace"
    abandoned_stream(spool, STARTED_AND_COMPLETED, address=server.address)
    address = parse_address(server.address)
    left = SyncReport(elsewhere={server.address: 2})
    assert await deliver(state_dir, address, SECRET) == left
    assert not journal.events
    asked = await deliver(state_dir, address, SECRET, recorded_for=address)
    assert asked == SyncReport(delivered=2)


async def test_what_was_recorded_with_a_credential_that_was_refused_goes_with_this_one(
    server: EventServer, state_dir: Path
) -> None:
    spool = state_dir / "spool" / "of-a-wrong-token"
    abandoned_stream(spool, STARTED_AND_COMPLETED, address=server.address)
    write_status(spool, SenderStatus(1, "refused"))
    report = await deliver(state_dir, parse_address(server.address), SECRET)
    assert report == SyncReport(delivered=2)


async def test_a_sender_that_delivers_elsewhere_is_left_at_work(
    config: MakeConfig, server: EventServer, state_dir: Path
) -> None:
    run(tracker(config("127.0.0.1:1", quiet=True)), 1)
    senders = until(lambda: sender_pids(state_dir))
    report = await deliver(state_dir, parse_address(server.address), SECRET)
    assert report.elsewhere == {"127.0.0.1:1": len(types_of_run(1))}
    assert sender_pids(state_dir) == senders


async def test_a_bad_stream_is_reported_and_the_others_go(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    spool = state_dir / "spool" / "local"
    good = abandoned_stream(spool, STARTED_AND_COMPLETED)
    bad = abandoned_stream(spool, STARTED_AND_COMPLETED)
    torn, wild = (spool / str(uuid.uuid4()) for _ in range(2))
    torn.mkdir()
    wild.mkdir()
    (wild / "stream.json").write_text("no JSON")
    server.refuse.add(bad.name)
    report = await deliver(state_dir, parse_address(server.address), NONE)
    assert report.delivered == 2
    assert report.remaining == 2
    assert set(report.problems) == {bad.name, torn.name, wild.name}
    assert str(wild / "stream.json") in report.problems[wild.name]
    assert not report.complete
    assert report.problems[bad.name] == "request_invalid"
    assert list(journal.events) == [good.name]
    assert set(stream_directories(spool)) == {bad, torn, wild}


async def test_a_spool_that_can_not_be_read_is_reported_and_the_others_go(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    broken = state_dir / "spool" / "broken"
    abandoned_stream(broken, STARTED_AND_COMPLETED)
    (broken / "sender.lock").mkdir()
    good = abandoned_stream(state_dir / "spool" / "local", STARTED_AND_COMPLETED)
    report = await deliver(state_dir, parse_address(server.address), NONE)
    assert report.delivered == 2
    assert list(report.problems) == [str(broken)]
    assert list(journal.events) == [good.name]


async def test_nothing_is_lost_if_no_server_answers(state_dir: Path) -> None:
    stream = abandoned_stream(state_dir / "spool" / "local", STARTED_AND_COMPLETED)
    report = await deliver(state_dir, parse_address("127.0.0.1:1"), NONE)
    assert (report.delivered, report.remaining) == (0, 2)
    assert list(report.problems) == [stream.name]


async def test_a_token_is_never_sent_unencrypted_to_another_machine(state_dir: Path) -> None:
    stream = abandoned_stream(state_dir / "spool" / "local", STARTED_AND_COMPLETED)
    with pytest.raises(ConfigError, match="unencrypted"):
        await deliver(state_dir, parse_address("http://10.0.0.7:1"), Credential(token="t"))
    assert stream.exists()


def test_what_is_reported_is_not_logged_to_the_terminal_too(state_dir: Path) -> None:
    abandoned_stream(state_dir / "spool" / "local", STARTED_AND_COMPLETED)
    result = subprocess.run(
        [sys.executable, "-c", SYNC],
        env={**os.environ, "STATE_DIR": str(state_dir)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (result.stdout, result.stderr) == ("2 remain\n", "")


SYNC = """
import asyncio, os, pathlib
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.tracking.sender.sync import deliver

state_dir = pathlib.Path(os.environ["STATE_DIR"])
report = asyncio.run(deliver(state_dir, parse_address("127.0.0.1:1"), Credential()))
print(report.remaining, "remain")
"""


async def test_a_wrong_credential_is_said(journal: Journal, state_dir: Path) -> None:
    server = EventServer(journal, token="right")
    stream = abandoned_stream(state_dir / "spool" / "local", STARTED_AND_COMPLETED)
    report = await deliver(state_dir, parse_address(server.address), Credential(token="wrong"))
    assert report.problems == {stream.name: "credential_invalid"}
    report = await deliver(state_dir, parse_address(server.address), Credential(token="right"))
    assert report == SyncReport(delivered=2)
    server.stop()


async def test_a_build_that_died_here_is_closed_and_one_on_another_machine_is_not(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    here = abandoned_stream(state_dir / "spool" / "local", STARTED)
    copied = abandoned_stream(state_dir / "spool" / "far_1+tls", STARTED, host="far away")
    report = await deliver(state_dir, parse_address(server.address), NONE)
    assert report == SyncReport(delivered=3)
    kinds = {name: [event.type for event in events] for name, events in journal.events.items()}
    assert kinds == {here.name: [1, 6], copied.name: [1]}


async def test_a_stream_is_closed_though_somebody_else_looks_if_its_writer_lives(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    """Who looks has the writer's lock for a moment."""
    stream = abandoned_stream(state_dir / "spool" / "local", STARTED)
    lock = lock_if_orphaned(stream)
    assert lock is not None
    asyncio.get_running_loop().call_later(0.05, os.close, lock)
    report = await deliver(state_dir, parse_address(server.address), NONE)
    assert report == SyncReport(delivered=2)
    assert journal.types() == ["BUILD_STARTED", "PRODUCER_DIED"]
    assert not stream.exists()


async def test_streams_for_another_server_are_left_alone(
    config: MakeConfig, server: EventServer, journal: Journal, state_dir: Path
) -> None:
    observer = tracker(config("127.0.0.1:1", quiet=True))
    run(observer, 1)
    address = parse_address(server.address)
    report = await deliver(state_dir, address, NONE)
    assert report == SyncReport(elsewhere={"127.0.0.1:1": len(types_of_run(1))})
    assert report.complete
    assert journal.all_events() == []
    moved = await deliver(state_dir, address, NONE, recorded_for=parse_address("127.0.0.1:1"))
    assert moved.elsewhere == {}
    assert exactly_once(journal, types_of_run(1))


async def test_what_was_delivered_long_ago_is_removed(server: EventServer, state_dir: Path) -> None:
    """By whoever delivers: where there is no server when builds run, that is no sender."""
    spool, address = state_dir / "spool" / "local", parse_address(server.address)
    stream = abandoned_stream(spool, STARTED_AND_COMPLETED)
    await deliver(state_dir, address, NONE)
    kept = spool / "done" / stream.name
    await deliver(state_dir, address, NONE, retention_s=60)
    assert kept.exists()
    os.utime(kept, (0, 0))
    await deliver(state_dir, address, NONE, retention_s=60)
    assert not kept.exists()


async def test_a_sender_at_work_is_relieved(
    config: MakeConfig, server: EventServer, journal: Journal, state_dir: Path
) -> None:
    server.refuse.clear()
    observer = tracker(config(server.address, quiet=True))
    run(observer, 1)
    observer.wait_delivered(20)
    assert len(sender_pids(state_dir)) == 1
    run(observer, 1)
    report = await deliver(state_dir, parse_address(server.address), Credential(token="secret"))
    assert report.remaining == 0
    assert report.problems == {}
    assert exactly_once(journal, types_of_run(1) * 2)


async def test_a_copied_directory_is_delivered_like_the_original(
    config: MakeConfig, server: EventServer, journal: Journal, state_dir: Path, tmp_path: Path
) -> None:
    run(tracker(config(None, offline=True, quiet=True)), 3)
    copy = tmp_path / "copy"
    shutil.copytree(state_dir, copy)
    address = parse_address(server.address)
    assert (await deliver(copy, address, NONE)).delivered == len(types_of_run(3))
    assert (await deliver(state_dir, address, NONE)).remaining == 0
    assert exactly_once(journal, types_of_run(3))


PENDING = event_pb2.EVENT_TYPE_TASK_PENDING


def damage(segment: Path, *, after: float) -> None:
    """Change a byte in a file, so far from its beginning."""
    content = bytearray(segment.read_bytes())
    content[int(len(content) * after)] ^= 0xFF
    segment.write_bytes(content)


@pytest.mark.parametrize("segment_bytes", [1 << 20, 200], ids=["in a segment", "over segments"])
async def test_a_damaged_stream_is_cut_there_and_says_how_much_is_missing(
    server: EventServer,
    journal: Journal,
    state_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    segment_bytes: int,
) -> None:
    monkeypatch.setattr("stardag.tracking.spool.writer.SEGMENT_BYTES", segment_bytes)
    stream = abandoned_stream(state_dir / "spool" / "local", [*STARTED, *[PENDING] * 19])
    segments = sorted(stream.glob("*.seg"))
    damage(segments[len(segments) // 2], after=0.5)
    report = await deliver(state_dir, parse_address(server.address), NONE)
    whole = journal.types().count("TASK_PENDING") + 1
    assert 0 < whole < 20
    assert journal.types()[whole:] == ["EVENTS_LOST", "PRODUCER_DIED"]
    assert journal.all_events()[whole].events_lost.count == 20 - whole
    assert (report.delivered, report.remaining) == (whole + 2, 0)
    assert await deliver(state_dir, parse_address(server.address), NONE) == SyncReport()


async def test_a_stream_damaged_at_its_beginning_says_so_of_its_last_build(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    stream = abandoned_stream(state_dir / "spool" / "local", [*STARTED, *[PENDING] * 9])
    (last,) = SpoolReader(stream, after=9).read()
    build = event_pb2.NewEvent.FromString(frames.event(last.body)).build_id
    (segment,) = stream.glob("*.seg")
    damage(segment, after=0)
    report = await deliver(state_dir, parse_address(server.address), NONE)
    assert journal.types() == ["EVENTS_LOST", "PRODUCER_DIED"]
    assert {event.build_id for event in journal.all_events()} == {build}
    assert journal.all_events()[0].events_lost.count == 10
    assert (report.delivered, report.remaining) == (2, 0)


async def test_a_build_that_ended_behind_the_damage_has_ended(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    stream = abandoned_stream(
        state_dir / "spool" / "local", [*STARTED, PENDING, event_pb2.EVENT_TYPE_BUILD_COMPLETED]
    )
    (segment,) = stream.glob("*.seg")
    damage(segment, after=0.5)
    await deliver(state_dir, parse_address(server.address), NONE)
    assert journal.types() == ["BUILD_STARTED", "EVENTS_LOST", "BUILD_COMPLETED"]
    assert journal.all_events()[1].events_lost.count == 1


async def test_a_tail_that_was_never_whole_is_no_damage(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    stream = abandoned_stream(state_dir / "spool" / "local", [*STARTED, PENDING])
    (segment,) = stream.glob("*.seg")
    os.truncate(segment, segment.stat().st_size - 3)
    await deliver(state_dir, parse_address(server.address), NONE)
    assert journal.types() == ["BUILD_STARTED", "PRODUCER_DIED"]


async def test_what_the_server_has_of_the_damaged_part_is_not_missing(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    stream = abandoned_stream(state_dir / "spool" / "local", [*STARTED, *[PENDING] * 9])
    before = [
        event_pb2.NewEvent.FromString(frames.event(frame.body))
        for frame in SpoolReader(stream).read(8)
    ]
    journal.events[stream.name] = before
    write_delivery(stream, Delivery(acked=8))
    (segment,) = stream.glob("*.seg")
    damage(segment, after=0.5)
    report = await deliver(state_dir, parse_address(server.address), NONE)
    assert journal.types()[8:] == ["EVENTS_LOST", "PRODUCER_DIED"]
    assert journal.all_events()[8].events_lost.count == 2
    assert report.remaining == 0


async def test_a_stream_of_a_format_to_come_is_left_and_reported(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    spool = state_dir / "spool" / "local"
    newer, same = (abandoned_stream(spool, STARTED_AND_COMPLETED) for _ in range(2))
    for stream, told in ((newer, {"format": 2}), (same, {"color": "blue"})):
        header = stream / "stream.json"
        header.write_text(json.dumps(json.loads(header.read_text()) | told))
    report = await deliver(state_dir, parse_address(server.address), NONE)
    assert list(journal.events) == [same.name]
    assert list(report.problems) == [newer.name]
    assert "format 2, and this version reads 1" in report.problems[newer.name]
    assert not report.complete


async def test_two_who_deliver_at_once_double_nothing(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    for _ in range(5):
        abandoned_stream(state_dir / "spool" / "local", STARTED_AND_COMPLETED)
    address = parse_address(server.address)
    one, other = await asyncio.gather(
        deliver(state_dir, address, NONE), deliver(state_dir, address, NONE)
    )
    assert len(journal.all_events()) == 10
    assert one.delivered + other.delivered == 10
    assert one.remaining == other.remaining == 0
