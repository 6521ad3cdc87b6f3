"""Every event exactly once, whoever dies in between."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

from stardag.tracking.route import open_route
from stardag.tracking.spool import frames
from stardag.tracking.spool.delivery import read_delivery, read_status
from stardag.tracking.spool.lease import take_lease
from stardag.tracking.spool.streams import StreamHeader, create_stream, stream_directories
from stardag.v1 import event_pb2

from .conftest import MakeConfig, end_sender, sender_pids
from .event_server import EventServer, Journal
from .tasks import run, types_of_run
from .test_tracker import tracker
from .waiting import until


def spool_of(state_dir: Path) -> Path:
    (spool,) = (state_dir / "spool").iterdir()
    return spool


def start_sender(spool: Path, address: str, *arguments: str) -> subprocess.Popen[bytes]:
    spool.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "stardag.tracking.sender", f"--spool={spool}"),
            *(f"--address={address}", "--retention=3600", *arguments),
        ],
        env={**os.environ, "STARDAG_TOKEN": "secret"},
    )


def exactly_once(journal: Journal, expected: list[str]) -> bool:
    """Return whether all `expected` events are there; fail if one is there twice."""
    assert len(journal.all_events()) <= len(expected)
    return journal.types() == expected


def test_a_sender_that_is_killed_is_replaced_and_no_event_is_lost_or_doubled(
    config: MakeConfig, server: EventServer, journal: Journal, state_dir: Path
) -> None:
    server.fail_after = 300  # commits, and breaks the connection instead of acknowledging
    observer = tracker(config(server.address, quiet=True))
    run(observer, 1000)
    until(lambda: journal.all_events())
    end_sender(state_dir, signal.SIGKILL)
    spool = spool_of(state_dir)
    for _ in range(2):
        committed = len(journal.all_events())
        with start_sender(spool, server.address) as sender:
            until(lambda committed=committed: len(journal.all_events()) > committed)
            sender.kill()
    with start_sender(spool, server.address) as sender:
        until(lambda: exactly_once(journal, types_of_run(1000)))
        until(lambda: acked(spool) == len(types_of_run(1000)))
        sender.terminate()
    assert journal.opened > 4


def acked(spool: Path) -> int:
    return read_delivery(stream_directories(spool)[0]).acked


def test_a_server_that_comes_and_goes_gets_every_event_once(
    config: MakeConfig, server: EventServer, journal: Journal
) -> None:
    observer = tracker(config(server.address, quiet=True))
    port, running = server.port, server
    expected: list[str] = []
    for _ in range(3):
        run(observer, 200)
        expected += types_of_run(200)
        running.stop()
        run(observer, 50)
        expected += types_of_run(50)
        running = EventServer(journal, port=port)
    until(lambda: exactly_once(journal, expected))
    running.stop()


def test_a_server_that_hangs_is_left_and_tried_again(
    config: MakeConfig, server: EventServer, journal: Journal, state_dir: Path
) -> None:
    server.silent = True
    observer = tracker(config(server.address, quiet=True))
    run(observer, 5)
    spool = spool_of(state_dir)
    until(lambda: (status := read_status(spool)) and status.state == "silent")
    status = read_status(spool)
    assert status is not None
    assert "does not answer" in status.detail
    server.silent = False
    until(lambda: acked(spool) == len(types_of_run(5)))
    assert exactly_once(journal, types_of_run(5))


def test_of_two_senders_one_works_and_the_other_leaves(
    server: EventServer, state_dir: Path
) -> None:
    spool = state_dir / "spool" / "x"
    header = StreamHeader(str(uuid.uuid4()), "test/1", socket.gethostname(), 1, "", None)
    stream = create_stream(spool, header, max_bytes=1 << 20)  # gives the first a reason to stay
    with start_sender(spool, server.address) as first:
        until(lambda: read_status(spool))
        with start_sender(spool, server.address) as second:
            assert second.wait(60) == 0
        assert first.poll() is None
        first.terminate()
        assert first.wait(20) == 0
    stream.release()


def test_a_sender_whose_spool_was_removed_leaves_what_was_made_there_since(
    server: EventServer, state_dir: Path
) -> None:
    spool = state_dir / "spool" / "x"
    header = StreamHeader(str(uuid.uuid4()), "test/1", socket.gethostname(), 1, "", None)
    stream = create_stream(spool, header, max_bytes=1 << 20)  # gives it a reason to stay
    with start_sender(spool, server.address) as sender:
        until(lambda: read_status(spool))
        (spool / "sender.lock").unlink()
        assert sender.wait(60) == 0
    stream.release()


def test_a_sender_ends_by_itself_when_all_is_delivered_and_puts_the_stream_aside(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    builder = subprocess.run(
        [sys.executable, "-c", BUILDER],
        env=builder_environment(server.address, state_dir, "complete"),
        check=True,
    )
    assert builder.returncode == 0
    until(lambda: not sender_pids(state_dir))
    spool = spool_of(state_dir)
    assert stream_directories(spool) == []
    assert len(list((spool / "done").iterdir())) == 1
    assert exactly_once(journal, types_of_run(1))
    lease = take_lease(spool, "sync")
    assert lease is not None
    lease.release()


def test_a_build_that_is_killed_is_shown_as_such(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUILDER],
        env=builder_environment(server.address, state_dir, "hang"),
        stdout=subprocess.PIPE,
    ) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"running\n"
        builder.kill()
    expected = ["BUILD_STARTED", "TASK_PENDING", "TASK_STARTED", "PRODUCER_DIED"]
    until(lambda: exactly_once(journal, expected))
    death = journal.all_events()[-1]
    start = journal.all_events()[0]
    assert death.build_id == start.build_id
    assert death.monotonic_us >= start.monotonic_us
    assert f"process {builder.pid} " in death.build_end.reason
    until(lambda: not sender_pids(state_dir))


def test_a_stream_the_server_refuses_does_not_hold_up_the_others(
    server: EventServer, journal: Journal, state_dir: Path, config: MakeConfig
) -> None:
    made = open_route(config(server.address, quiet=True))
    assert made is not None
    spool = made.spool
    bad = str(uuid.uuid4())
    server.refuse.add(bad)
    header = StreamHeader(bad, "test/1", "elsewhere", 1, "another boot", server.address)
    stream = create_stream(spool, header, max_bytes=1 << 20)
    stream.append(b"\x1a\x00")
    observer = tracker(config(server.address, quiet=True))
    run(observer, 2)
    observer.wait_delivered(20)
    assert exactly_once(journal, types_of_run(2))
    until(lambda: read_delivery(spool / bad).problem == "request_invalid")
    status = read_status(spool)
    assert status is not None
    assert status.state == "connected"
    stream.release()


def test_a_sender_may_open_more_files_than_who_started_it(
    server: EventServer, state_dir: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1] - 1, limits[1]))
    try:
        sender = start_sender(state_dir / "spool" / "a", server.address)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    with sender:
        most = (limits[1], limits[1])
        until(lambda: resource.prlimit(sender.pid, resource.RLIMIT_NOFILE) == most)
        sender.terminate()


def test_a_sender_leaves_on_request_and_the_next_goes_on(
    config: MakeConfig, server: EventServer, journal: Journal, state_dir: Path
) -> None:
    observer = tracker(config(server.address, quiet=True))
    run(observer, 2)
    observer.wait_delivered(20)
    end_sender(state_dir, signal.SIGTERM)
    run(observer, 3)
    with start_sender(spool_of(state_dir), server.address) as sender:
        until(lambda: exactly_once(journal, types_of_run(2) + types_of_run(3)))
        sender.terminate()
    assert sender.returncode == 0


def test_what_is_delivered_is_deleted_when_its_time_is_over(
    server: EventServer, state_dir: Path
) -> None:
    subprocess.run(
        [sys.executable, "-c", BUILDER],
        env=builder_environment(server.address, state_dir, "complete"),
        check=True,
    )
    until(lambda: not sender_pids(state_dir))
    spool = spool_of(state_dir)
    (stream,) = (spool / "done").iterdir()
    with start_sender(spool, server.address, "--retention=0") as sender:
        until(lambda: not stream.exists())
        assert sender.wait(20) == 0


def test_a_sender_that_can_not_say_how_it_stands_delivers_all_the_same(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    spool = state_dir / "spool" / "x"
    header = StreamHeader(str(uuid.uuid4()), "test/1", socket.gethostname(), 1, "", None)
    stream = create_stream(spool, header, max_bytes=1 << 20)
    event = event_pb2.NewEvent(build_id=uuid.uuid4().bytes, type=event_pb2.EVENT_TYPE_BUILD_STARTED)
    stream.append(frames.body(event.SerializeToString()))
    (spool / "sender.new").mkdir()  # in the way of the status, as a full disk is
    with start_sender(spool, server.address) as sender:
        until(lambda: journal.types() == ["BUILD_STARTED"])
        sender.terminate()
    stream.release()


BUILDER = """
import os, time
import stardag as sd

@sd.task
def number(mode: str) -> int:
    if mode == "hang":
        print("running", flush=True)
        time.sleep(60)
    return 1

sd.build(number(mode=os.environ["MODE"]))
"""


def builder_environment(address: str, state_dir: Path, mode: str) -> dict[str, str]:
    return {
        **os.environ,
        "STARDAG_SERVER": address,
        "STARDAG_STATE_DIR": str(state_dir),
        "STARDAG_QUIET": "1",
        "MODE": mode,
    }


def test_the_death_of_a_writer_nobody_saw_alive_is_dated_by_its_last_event(
    server: EventServer, journal: Journal, state_dir: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUILDER],
        env=builder_environment("127.0.0.1:1", state_dir, "hang"),
        stdout=subprocess.PIPE,
    ) as builder:
        assert builder.stdout is not None
        builder.stdout.readline()
        for pid in sender_pids(state_dir):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not sender_pids(state_dir) or not any(map(alive, sender_pids(state_dir))))
        builder.kill()
    with start_sender(spool_of(state_dir), server.address) as sender:
        until(lambda: journal.types()[-1:] == ["PRODUCER_DIED"])
        before, death = journal.all_events()[-2:]
        assert death.event_time_us == before.event_time_us
        assert death.type == event_pb2.EVENT_TYPE_PRODUCER_DIED
        sender.terminate()


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
