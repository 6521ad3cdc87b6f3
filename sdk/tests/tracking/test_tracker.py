"""What a build notices of being tracked: nothing but a line here and there."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from stardag import ConfigError
from stardag.build.observer import BuildInfo, BuildObserver
from stardag.config import Config, ServerConfig, TrackingConfig
from stardag.tracking import open_tracker
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.tracking.sender.sync import deliver
from stardag.tracking.spool.delivery import read_status
from stardag.tracking.spool.streams import writer_lives
from stardag.v1 import event_pb2

from .conftest import MakeConfig, sender_pids
from .event_server import EventServer, Journal
from .tasks import Step, build_id, run, types_of_run
from .test_stream import read_events
from .waiting import until


def tracker(config: Config) -> BuildObserver:
    found = open_tracker(config)
    assert found is not None
    return found


def test_without_server_or_collector_there_is_nobody_to_tell(config: MakeConfig) -> None:
    assert open_tracker(config(None)) is None


def test_a_build_is_told_to_the_server_in_order(
    config: MakeConfig, server: EventServer, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    observer = tracker(config(server.address))
    build = run(observer, 20)
    observer.wait_delivered(20)
    assert journal.types() == types_of_run(20)
    assert {event.build_id for event in journal.all_events()} == {build.bytes}
    said = capsys.readouterr().err.splitlines()
    assert said == [f"stardag: build {build} -> {server.address}; see: stardag builds show {build}"]


def test_builds_of_one_process_share_its_stream_and_define_a_task_once(
    config: MakeConfig, server: EventServer, journal: Journal
) -> None:
    run(tracker(config(server.address)), 3)
    observer = tracker(config(server.address))
    run(observer, 3)
    observer.wait_delivered(20)
    (events,) = journal.events.values()
    assert len(events) == 2 * len(types_of_run(3))
    assert sum(event.HasField("definition") for event in events) == 3


def test_offline_events_stay_here_and_nothing_is_started(
    config: MakeConfig, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    observer = tracker(config(None, offline=True))
    run(observer, 2)
    started = time.monotonic()
    observer.wait_delivered(60)
    assert time.monotonic() - started < 30
    (stream,) = (state_dir / "spool" / "local").iterdir()
    names = [event_pb2.EventType.Name(event.type) for event in read_events(stream)]
    assert [name.removeprefix("EVENT_TYPE_") for name in names] == types_of_run(2)
    assert sender_pids(state_dir) == []
    assert "stardag sync" in capsys.readouterr().err


def test_a_build_that_has_used_up_its_share_of_the_disk_ends_as_it_did_all_the_same(
    config: MakeConfig, state_dir: Path
) -> None:
    steps = 6000
    run(tracker(config(None, offline=True, max_bytes=1 << 20)), steps)
    (stream,) = (state_dir / "spool" / "local").iterdir()
    told = read_events(stream)
    assert told[-1].type == event_pb2.EVENT_TYPE_BUILD_COMPLETED
    kept = [event for event in told if event.type != event_pb2.EVENT_TYPE_EVENTS_LOST]
    lost = sum(event.events_lost.count for event in told)
    assert len(kept) + lost == len(types_of_run(steps))


def test_of_builds_that_overlap_for_ever_each_has_its_share_of_the_disk(
    config: MakeConfig, state_dir: Path
) -> None:
    settings = config(None, offline=True, max_bytes=1 << 20)
    builds: list[tuple[BuildObserver, Step]] = []
    for number in range(40):  # each starts before the one before has ended
        observer, task = tracker(settings), Step(number)
        observer.build_started(BuildInfo(build_id(), [task]))
        for _ in range(1000):
            observer.task_progressed(task, 1, 0.5, "")
        builds.append((observer, task))
        if number:
            builds[number - 1][0].build_ended("completed", "")
    streams = list((state_dir / "spool" / "local").iterdir())
    told = [event for stream in streams for event in read_events(stream)]
    assert len(told) == 40 * 1001 + 39
    assert len(streams) > 2
    assert sum(writer_lives(stream) for stream in streams) <= 2


def test_with_no_server_there_a_build_is_warned_once_and_does_not_wait(
    config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        observer = tracker(config(address))
        run(observer, 2)
        started = time.monotonic()
        observer.wait_delivered(60)
        observer.wait_delivered(60)
        assert time.monotonic() - started < 30
    said = capsys.readouterr().err
    assert said.count("can't be reached") == 1
    assert "recording locally; uploads resume by themselves" in said
    assert "8 events still wait" in said


def test_what_is_no_server_of_ours_is_named_and_not_waited_for(
    config: MakeConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer() -> None:
        with suppress(OSError):  # the end of the test
            while True:
                connection, _ = web.accept()
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as web:
        threading.Thread(target=answer, daemon=True).start()
        observer = tracker(config(f"127.0.0.1:{web.getsockname()[1]}"))
        run(observer, 2)
        started = time.monotonic()
        observer.wait_delivered(60)
        assert time.monotonic() - started < 30
        web.shutdown(socket.SHUT_RDWR)
    said = capsys.readouterr().err
    assert "can't be reached (what listens there does not speak gRPC)" in said
    assert "8 events still wait" in said


LOOP = """
import stardag as sd

@sd.task
def number(k: int) -> int:
    return k

for k in range(20):
    sd.build(number(k=k))
"""


def test_many_builds_without_a_server_are_warned_as_if_they_were_one(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARDAG_SERVER", "127.0.0.1:1")
    monkeypatch.setenv("STARDAG_STATE_DIR", str(state_dir))
    result = subprocess.run(
        [sys.executable, "-c", LOOP], capture_output=True, text=True, check=True
    )
    said = [line for line in result.stderr.splitlines() if "see: stardag" not in line]
    assert [line.count("can't be reached") for line in said] == [1, 0, 0]
    assert "5 events still wait" in said[1]
    assert "100 events still wait" in said[2]


def test_a_server_that_is_back_gets_everything_and_the_build_says_so(
    config: MakeConfig, server: EventServer, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    observer = tracker(config(server.address))
    server.stop()
    run(observer, 2)
    observer.wait_delivered(20)
    again = EventServer(journal, port=server.port)
    try:
        until(lambda: len(journal.all_events()) == len(types_of_run(2)))
        observer.wait_delivered(20)
    finally:
        again.stop()
    said = capsys.readouterr().err
    assert said.index("can't be reached") < said.index("is back; uploads have resumed")


def test_a_server_that_comes_back_just_before_the_end_is_waited_for(
    config: MakeConfig, server: EventServer, journal: Journal, state_dir: Path
) -> None:
    observer = tracker(config(server.address, quiet=True))
    run(observer, 1)
    observer.wait_delivered(20)
    server.stop()
    (spool,) = (state_dir / "spool").iterdir()
    until(lambda: (status := read_status(spool)) and status.state == "unreachable")
    again = EventServer(journal, port=server.port)
    run(observer, 2)
    observer.wait_delivered(20)
    assert journal.types() == types_of_run(1) + types_of_run(2)
    again.stop()


def test_a_refused_credential_is_named(
    config: MakeConfig, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    server = EventServer(journal, token="right")
    try:
        observer = tracker(config(server.address, token="wrong-token"))
        run(observer, 1)
        observer.wait_delivered(20)
        said = capsys.readouterr().err
        assert "does not work (credential_invalid)" in said
        assert "wrong-token" not in said
        assert journal.all_events() == []
    finally:
        server.stop()


def test_a_token_file_that_can_not_be_read_is_named_once(
    server: EventServer, state_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.mkdir()
    observer = tracker(
        Config(
            server=ServerConfig(address=server.address, token_file=file),
            tracking=TrackingConfig(state_dir=state_dir),
        )
    )
    run(observer, 1)
    observer.wait_delivered(20)
    observer.wait_delivered(20)
    said = capsys.readouterr().err
    assert said.count("warning") == said.count(str(file)) == 1


def test_what_was_recorded_for_one_credential_never_goes_out_with_another(
    config: MakeConfig, journal: Journal, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EventServer(journal, token="of one workspace")
    try:
        observer = tracker(config(server.address, token="of another"))
        other = run(observer, 1)
        observer.wait_delivered(20)
        monkeypatch.setattr("stardag.tracking.route._routes", {})
        observer = tracker(config(server.address, token="of one workspace"))
        mine = run(observer, 1)
        observer.wait_delivered(20)
        assert {event.build_id for event in journal.all_events()} == {mine.bytes}
        credential = Credential("of one workspace")
        report = asyncio.run(deliver(state_dir, parse_address(server.address), credential))
        assert report.remaining == 0
        builds = {event.build_id for event in journal.all_events()}
        assert builds == {mine.bytes, other.bytes}
    finally:
        server.stop()


def live(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_relative_state_directory_is_the_same_for_the_sender(
    config: MakeConfig,
    server: EventServer,
    journal: Journal,
    state_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(state_dir.parent)
    observer = tracker(config(server.address, state_dir=Path(state_dir.name)))
    run(observer, 1)
    monkeypatch.chdir("/")
    observer.wait_delivered(20)
    assert journal.types() == types_of_run(1)


def test_quiet_says_nothing(
    config: MakeConfig, server: EventServer, capsys: pytest.CaptureFixture[str]
) -> None:
    observer = tracker(config(server.address, quiet=True))
    run(observer, 1)
    observer.wait_delivered(20)
    assert capsys.readouterr().err == ""


class Broken(Step):
    def identity_json(self) -> str:
        raise RuntimeError("no identity")

    @property
    def id(self) -> uuid.UUID:
        return Step(1).id


def test_a_fault_of_tracking_is_said_once_and_the_task_is_recorded_all_the_same(
    config: MakeConfig, server: EventServer, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    observer = tracker(config(server.address))
    task = Broken(1)
    observer.build_started(BuildInfo(build_id(), [task]))
    observer.task_pending(task, [])
    observer.task_reused(task, [])
    observer.build_ended("completed", "")
    observer.wait_delivered(20)
    assert journal.types() == ["BUILD_STARTED", "TASK_PENDING", "TASK_REUSED", "BUILD_COMPLETED"]
    assert capsys.readouterr().err.count("no identity") == 1


class Unreadable(Exception):
    """An error of which not even its notes can be read."""

    def __getattribute__(self, name: str) -> object:
        if name == "__notes__":
            raise ValueError("no notes")
        return super().__getattribute__(name)


class Placeless(Step):
    """A task whose output can't be asked where it is."""

    def output_uri(self) -> str | None:
        raise OSError("no place")


def test_what_happened_is_recorded_though_its_details_can_not_be_had(
    config: MakeConfig, server: EventServer, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    observer = tracker(config(server.address))
    failing, placeless = Step(1), Placeless(2)
    observer.build_started(BuildInfo(build_id(), [failing, placeless]))
    for task in (failing, placeless):
        observer.task_started(task, 1)
    observer.task_failed(failing, 1, Unreadable(), will_retry=False)
    observer.task_completed(placeless, 1)
    observer.build_ended("failed", "")
    observer.wait_delivered(20)
    assert journal.types()[-3:] == ["TASK_FAILED", "TASK_COMPLETED", "BUILD_FAILED"]
    assert capsys.readouterr().err.count("not everything is recorded") == 1


def test_an_unwritable_state_directory_costs_the_record_and_not_the_build(
    config: MakeConfig, server: EventServer, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state_dir.write_text("a file in the way")
    observer = tracker(config(server.address))
    run(observer, 3)
    observer.wait_delivered(1)
    assert capsys.readouterr().err.count("not everything is recorded") == 1


def test_a_token_is_never_sent_unencrypted_to_another_machine(config: MakeConfig) -> None:
    with pytest.raises(ConfigError, match="unencrypted"):
        open_tracker(config("http://10.0.0.7:7465"))


def test_every_event_of_the_lifecycle_arrives(
    config: MakeConfig, server: EventServer, journal: Journal
) -> None:
    observer = tracker(config(server.address))
    one, two, three = Step(1), Step(2), Step(3)
    observer.build_started(BuildInfo(build_id(), [one], "why", {"team": "x"}))
    observer.task_pending(one, [two])
    observer.task_reused(two, [])
    observer.task_blocked(one, 1)
    observer.task_started(one, 1)
    observer.task_suspended(one, 1, [two, three], restarts=False)
    observer.task_resumed(one, 1)
    observer.task_failed(one, 1, ValueError("no"), will_retry=True)
    observer.task_started(one, 2)
    observer.task_cancelled(one, 2)
    observer.task_skipped(three, one)
    observer.build_ended("cancelled", "by request")
    observer.wait_delivered(20)
    assert journal.types() == [
        "BUILD_STARTED",
        "TASK_PENDING",
        "TASK_REUSED",
        "TASK_BLOCKED",
        "TASK_STARTED",
        "TASK_SUSPENDED",
        "TASK_RESUMED",
        "TASK_FAILED",
        "TASK_STARTED",
        "TASK_CANCELLED",
        "TASK_SKIPPED",
        "BUILD_CANCELLED",
    ]


SCRIPT = """
import json, sys
import stardag as sd

@sd.task
def number() -> int:
    return 1

lazy = [name for name in sys.modules if name.startswith("stardag.tracking")]
summary = sd.build(number(), flush_timeout=20)
loaded = [name for name in ("grpc", "google.protobuf", "opentelemetry") if name in sys.modules]
print(json.dumps([lazy, loaded, str(summary.status)]))
"""


def test_a_process_that_builds_loads_no_grpc_no_protobuf_and_no_opentelemetry(
    server: EventServer, journal: Journal, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARDAG_SERVER", server.address)
    monkeypatch.setenv("STARDAG_STATE_DIR", str(state_dir))
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    lazy, loaded, _ = json.loads(result.stdout)
    assert lazy == []
    assert loaded == []
    assert journal.types() == types_of_run(1)


OUT_OF_FILES = """
import resource
import stardag as sd

@sd.task
def number(n: int) -> int:
    return n

sd.build_sequential(number(n=1), flush_timeout=0)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
"""


def test_a_process_that_can_open_nothing_more_ends_without_a_traceback(state_dir: Path) -> None:
    environment = os.environ | {
        "STARDAG_SERVER": "127.0.0.1:1",
        "STARDAG_STATE_DIR": str(state_dir),
        "STARDAG_TARGET_ROOTS__DEFAULT": str(state_dir / "targets"),
    }
    command = [sys.executable, "-c", OUT_OF_FILES]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "Traceback" not in ended.stderr
