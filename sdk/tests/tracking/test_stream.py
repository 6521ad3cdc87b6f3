"""One stream a process, whatever its threads, forks and disk do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from stardag.tracking import events, stream
from stardag.tracking.spool import frames
from stardag.tracking.spool.delivery import Delivery, write_delivery
from stardag.tracking.spool.reader import SpoolReader
from stardag.tracking.spool.streams import read_header, stream_directories, writer_lives
from stardag.tracking.spool.writer import SpoolFullError
from stardag.tracking.stream import EventStream
from stardag.v1 import event_pb2

from .waiting import until

BUILD = uuid.uuid4().bytes


@pytest.fixture
def make_stream(tmp_path: Path) -> Callable[..., EventStream]:
    def make(max_bytes: int = 1 << 30, fsync: stream.Fsync = "never") -> EventStream:
        return EventStream(
            tmp_path / "spool",
            client="test/1",
            host="here",
            address=None,
            traced=False,
            max_bytes=max_bytes,
            fsync=fsync,
        )

    return make


def read_events(directory: Path) -> list[event_pb2.NewEvent]:
    reader = SpoolReader(directory)
    found: list[event_pb2.NewEvent] = []
    while batch := reader.read():
        found += [event_pb2.NewEvent.FromString(frames.event(frame.body)) for frame in batch]
    return found


def started(number: int) -> bytes:
    return events.event(BUILD, number.to_bytes(16, "big"), events.TASK_STARTED, 1)


def test_nothing_is_written_before_the_first_event(
    make_stream: Callable[..., EventStream], tmp_path: Path
) -> None:
    events_stream = make_stream()
    assert events_stream.position() is None
    assert not (tmp_path / "spool").exists()
    assert events_stream.append(BUILD, started(1), events.TASK_STARTED)
    position = events_stream.position()
    assert position is not None
    assert position.sequence == 1
    header = read_header(position.directory)
    assert (header.pid, header.host, header.client) == (os.getpid(), "here", "test/1")


@pytest.mark.parametrize("fsync", ["interval", "always", "never"])
def test_threads_keep_each_its_order_and_no_number_is_used_twice(
    make_stream: Callable[..., EventStream], fsync: stream.Fsync
) -> None:
    events_stream = make_stream(fsync=fsync)
    count = 50 if fsync == "always" else 500

    def write(thread: int) -> None:
        for number in range(count):
            body = events.event(BUILD, bytes(15) + bytes([thread]), events.TASK_STARTED, number)
            assert events_stream.append(BUILD, body, events.TASK_STARTED)

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    position = events_stream.position()
    assert position is not None
    written = read_events(position.directory)
    assert len(written) == position.sequence == 4 * count
    for thread in range(4):
        own = [event.attempt for event in written if event.task_id[-1] == thread]
        assert own == list(range(count))


def test_a_forked_child_has_a_stream_of_its_own(
    make_stream: Callable[..., EventStream], tmp_path: Path
) -> None:
    events_stream = make_stream()
    events_stream.append(BUILD, started(1), events.TASK_STARTED)
    assert events_stream.define(b"task")
    position = events_stream.position()
    assert position is not None
    child = os.fork()
    if child == 0:
        try:
            assert events_stream.position() is None
            assert events_stream.define(b"task"), "its stream has no definition yet"
            assert events_stream.append(BUILD, started(2), events.TASK_STARTED)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    events_stream.append(BUILD, started(3), events.TASK_STARTED)
    assert not events_stream.define(b"task")
    streams = set(stream_directories(tmp_path / "spool"))
    (childs,) = streams - {position.directory}
    assert [event.task_id[-1] for event in read_events(position.directory)] == [1, 3]
    assert [event.task_id[-1] for event in read_events(childs)] == [2]
    assert writer_lives(position.directory)
    assert not writer_lives(childs)


def test_a_fork_does_not_keep_its_parents_stream_locked(
    make_stream: Callable[..., EventStream], tmp_path: Path
) -> None:
    """Or a child that lives on would make a dead parent look alive."""
    go_read, go_write = os.pipe()
    parent = os.fork()
    if parent == 0:
        events_stream = make_stream()
        events_stream.append(BUILD, started(1), events.TASK_STARTED)
        if os.fork() == 0:
            os.close(go_write)
            os.read(go_read, 1)  # lives until the test is over
        os._exit(0)
    os.waitpid(parent, 0)
    for directory in stream_directories(tmp_path / "spool"):
        until(lambda directory=directory: not writer_lives(directory))
    os.close(go_write)
    os.close(go_read)


def test_threads_that_write_while_others_fork_do_not_hang_a_child(
    make_stream: Callable[..., EventStream],
) -> None:
    events_stream = make_stream()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            events_stream.append(BUILD, started(number % 250), events.TASK_STARTED)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                kept = events_stream.append(BUILD, started(1), events.TASK_STARTED)
                os._exit(0 if kept else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_events_that_find_no_room_are_counted_and_the_count_is_recorded(
    make_stream: Callable[..., EventStream],
) -> None:
    events_stream = make_stream(max_bytes=5000)
    kept = sum(
        events_stream.append(BUILD, started(number), events.TASK_STARTED) for number in range(200)
    )
    assert 0 < kept < 200
    assert isinstance(events_stream.failure, SpoolFullError)
    end = events.event(BUILD, b"", events.BUILD_ENDED["completed"])
    assert events_stream.append(BUILD, end, events.BUILD_ENDED["completed"])
    position = events_stream.position()
    assert position is not None
    lost, ended = read_events(position.directory)[-2:]
    assert lost.type == event_pb2.EVENT_TYPE_EVENTS_LOST
    assert lost.build_id == BUILD
    assert lost.events_lost.count == 200 - kept
    assert ended.type == event_pb2.EVENT_TYPE_BUILD_COMPLETED


def test_a_spool_that_can_not_be_made_is_tried_again_and_loses_count_of_nothing(
    make_stream: Callable[..., EventStream], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_REOPEN_INTERVAL_S", 0.0)
    (tmp_path / "spool").write_text("a file in the way")
    events_stream = make_stream()
    assert not events_stream.append(BUILD, started(1), events.TASK_STARTED)
    assert not events_stream.append(BUILD, started(2), events.TASK_STARTED)
    assert isinstance(events_stream.failure, OSError)
    (tmp_path / "spool").unlink()
    assert events_stream.append(BUILD, started(3), events.TASK_STARTED)
    position = events_stream.position()
    assert position is not None
    lost, third = read_events(position.directory)
    assert lost.events_lost.count == 2
    assert third.task_id[-1] == 3


def test_a_grown_stream_is_closed_between_builds_and_not_within_one(
    make_stream: Callable[..., EventStream], tmp_path: Path
) -> None:
    events_stream = make_stream(max_bytes=10_000)

    def build() -> Path:
        events_stream.begin_build()
        for number in range(60):
            events_stream.append(BUILD, started(number), events.TASK_STARTED)
        position = events_stream.position()
        assert position is not None
        events_stream.end_build()
        return position.directory

    first, second = build(), build()
    assert first != second
    reader = SpoolReader(first)
    while reader.read():
        pass
    assert reader.ended
    assert not writer_lives(first)
    assert writer_lives(second)


def test_what_was_removed_before_it_was_delivered_is_said_to_be_lost(
    make_stream: Callable[..., EventStream], tmp_path: Path
) -> None:
    events_stream = make_stream()
    for number in range(5):
        assert events_stream.append(BUILD, started(number), events.TASK_STARTED)
    position = events_stream.position()
    assert position is not None
    write_delivery(position.directory, Delivery(acked=2))
    events_stream.check(BUILD)
    assert events_stream.failure is None
    shutil.rmtree(tmp_path / "spool")
    events_stream.check(BUILD)
    assert "was removed" in str(events_stream.failure)
    assert events_stream.append(BUILD, started(4), events.TASK_STARTED)
    (directory,) = stream_directories(tmp_path / "spool")
    lost, after = read_events(directory)
    assert (lost.type, lost.events_lost.count) == (event_pb2.EVENT_TYPE_EVENTS_LOST, 3)
    assert after.type == event_pb2.EVENT_TYPE_TASK_STARTED


REMOVES = """
import shutil, sys
import stardag as sd

@sd.task
def removes(state: str) -> int:
    shutil.rmtree(state)
    return 1

sd.build(removes(state=sys.argv[1]))
"""


def test_a_build_whose_state_directory_is_removed_says_so_and_records_its_end(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    environment = os.environ | {
        "STARDAG_OFFLINE": "true",
        "STARDAG_STATE_DIR": str(state),
        "STARDAG_TARGET_ROOTS__DEFAULT": str(tmp_path / "targets"),
    }
    command = [sys.executable, "-c", REMOVES, str(state)]
    ended = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    assert "was removed" in ended.stderr
    (stream,) = stream_directories(state / "spool" / "local")
    told = [event.type for event in read_events(stream)]
    assert told == [event_pb2.EVENT_TYPE_EVENTS_LOST, event_pb2.EVENT_TYPE_BUILD_COMPLETED]


CLOSES_ALL = """
import os, sys
from pathlib import Path
import stardag as sd

@sd.task
def before() -> int:
    return 1

@sd.task
def closes(value: sd.Depends[int], directory: str, until: int) -> int:
    os.closerange(3, until)
    for number in range(30):
        os.open(f"{directory}/{number}", os.O_WRONLY | os.O_CREAT)
    return value

@sd.task
def after(value: sd.Depends[int]) -> int:
    return value

closed = closes(value=before(), directory=sys.argv[1], until=int(sys.argv[2]))
sd.build_sequential(after(value=closed))
"""


@pytest.mark.parametrize("until", [256, 65536])
def test_a_task_that_closes_all_files_and_opens_its_own_gets_nothing_of_ours_in_them(
    tmp_path: Path, until: int
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    environment = os.environ | {
        "STARDAG_OFFLINE": "true",
        "STARDAG_STATE_DIR": str(tmp_path / "state"),
        "STARDAG_TARGET_ROOTS__DEFAULT": str(tmp_path / "targets"),
    }
    program = [sys.executable, "-c", CLOSES_ALL, str(own), str(until)]
    subprocess.run(program, check=True, env=environment)
    assert {path.stat().st_size for path in own.iterdir()} == {0}
    streams = stream_directories(tmp_path / "state" / "spool" / "local")
    told = [event.type for stream in streams for event in read_events(stream)]
    assert told.count(event_pb2.EVENT_TYPE_TASK_PENDING) == 3
    assert event_pb2.EVENT_TYPE_BUILD_COMPLETED in told
    assert (event_pb2.EVENT_TYPE_EVENTS_LOST in told) == (until == 65536)
