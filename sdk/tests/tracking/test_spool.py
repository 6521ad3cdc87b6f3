"""Whatever append returned for is read back, whatever happens to the writer."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stardag.tracking.spool import frames, writer
from stardag.tracking.spool.reader import SpoolReader, last_sequence, segment_path, segment_starts
from stardag.tracking.spool.streams import (
    StreamHeader,
    adopt_stream,
    create_stream,
    read_header,
    stream_directories,
    writer_lives,
)
from stardag.tracking.spool.writer import Spool, SpoolFullError

from .waiting import until


def header() -> StreamHeader:
    return StreamHeader(str(uuid.uuid4()), "test/1", "host", os.getpid(), "boot", "127.0.0.1:1")


def create(path: Path, max_bytes: int = 1 << 40) -> Spool:
    return create_stream(path, header(), max_bytes=max_bytes)


def read_all(directory: Path, after: int = 0) -> list[frames.Frame]:
    reader = SpoolReader(directory, after)
    found: list[frames.Frame] = []
    while batch := reader.read():
        found += batch
    reader.close()
    return found


def bodies(count: int, size: int = 20) -> list[bytes]:
    return [number.to_bytes(4, "big") * (size // 4) for number in range(1, count + 1)]


def fill(stream: Spool, contents: list[bytes]) -> None:
    for body in contents:
        stream.append(body)


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 400)


def test_what_is_appended_is_read_in_order_over_segments(
    tmp_path: Path, small_segments: None
) -> None:
    stream = create(tmp_path)
    fill(stream, bodies(100))
    assert [frame.body for frame in read_all(stream.directory)] == bodies(100)
    assert [frame.sequence for frame in read_all(stream.directory)] == list(range(1, 101))
    assert len(segment_starts(stream.directory)) > 5
    assert last_sequence(stream.directory) == 100


@pytest.mark.parametrize("after", [0, 1, 10, 11, 12, 99, 100])
def test_reading_begins_after_any_number(tmp_path: Path, small_segments: None, after: int) -> None:
    stream = create(tmp_path)
    fill(stream, bodies(100))
    assert [frame.sequence for frame in read_all(stream.directory, after)] == [
        *range(after + 1, 101)
    ]


def test_a_reader_follows_a_writer(tmp_path: Path, small_segments: None) -> None:
    stream = create(tmp_path)
    reader = SpoolReader(stream.directory)
    assert reader.read() == []
    for number, body in enumerate(bodies(60), 1):
        stream.append(body)
        assert reader.read() == [frames.Frame(number, body)]
        assert reader.read() == []
        assert not reader.has_gap()
    stream.finish()
    assert reader.read() == []
    assert reader.ended


def test_a_read_keeps_within_its_limits_but_gives_one_frame_at_least(tmp_path: Path) -> None:
    stream = create(tmp_path)
    fill(stream, bodies(10, size=100))
    reader = SpoolReader(stream.directory)
    assert len(reader.read(max_events=3)) == 3
    assert len(reader.read(max_bytes=250)) == 2
    assert len(reader.read(max_bytes=1)) == 1


def test_a_frame_larger_than_a_chunk_is_read(tmp_path: Path) -> None:
    stream = create(tmp_path)
    large = os.urandom(frames.MAX_BODY)
    fill(stream, [b"small", large, b"small"])
    assert [frame.body for frame in read_all(stream.directory)] == [b"small", large, b"small"]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), contents=st.lists(st.binary(min_size=1, max_size=60), max_size=30))
def test_a_torn_tail_is_cut_and_the_next_writer_goes_on(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, contents: list[bytes]
) -> None:
    stream = create(tmp_path_factory.mktemp("spool"))
    fill(stream, contents)
    stream.release()
    survivors, more = contents, [b"later", b"still later"]
    if contents:
        path = segment_path(stream.directory, 1)
        whole = path.read_bytes()
        kept = data.draw(st.integers(0, len(whole)), label="bytes kept")
        garbage = data.draw(st.binary(max_size=40), label="garbage")
        path.write_bytes(whole[:kept] + garbage)
        ends = [16 * (n + 1) + sum(map(len, contents[: n + 1])) for n in range(len(contents))]
        survivors = contents[: sum(end <= kept for end in ends)]
    read = [frame.body for frame in read_all(stream.directory)]
    assert read[: len(survivors)] == survivors
    assert read == contents[: len(read)]

    adopted = adopt_stream(stream.directory)
    assert adopted is not None
    fill(adopted, more)
    adopted.finish()
    assert [frame.body for frame in read_all(stream.directory)] == read + more


WRITER = """
import sys
from pathlib import Path
from stardag.tracking.spool.streams import StreamHeader, create_stream
header = StreamHeader(sys.argv[2], "test/1", "host", 1, "boot", None)
stream = create_stream(Path(sys.argv[1]), header, max_bytes=1 << 40)
number = 0
while True:
    number += 1
    stream.append(number.to_bytes(4, "big") * (number % 50 + 1))
    if number % 100 == 0:
        print(number, flush=True)
"""


def test_nothing_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    for round_ in range(3):
        stream_id = str(uuid.uuid4())
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), stream_id], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            said = [writer.stdout.readline() for _ in range(5 + 20 * round_)]
            writer.kill()
            said += writer.stdout.read().splitlines(keepends=True)
            acknowledged = max(int(line) for line in said if line.endswith(b"\n"))
        found = read_all(tmp_path / stream_id)
        assert len(found) >= acknowledged > 0
        assert all(
            frame.body == number.to_bytes(4, "big") * (number % 50 + 1)
            for number, frame in enumerate(found, 1)
        )


def test_the_lock_tells_whether_the_writer_lives(tmp_path: Path) -> None:
    stream_id = str(uuid.uuid4())
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), stream_id], stdout=subprocess.DEVNULL
    ) as writer:
        until(lambda: (tmp_path / stream_id).exists())
        assert writer_lives(tmp_path / stream_id)
        assert adopt_stream(tmp_path / stream_id) is None
        writer.send_signal(signal.SIGKILL)
    assert not writer_lives(tmp_path / stream_id)


def test_nobody_else_reads_in_a_state_directory_that_was_made_for_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_stream(tmp_path / "a" / "state" / "spool" / "server", header(), max_bytes=1 << 20)
    finally:
        os.umask(before)
    state = tmp_path / "a" / "state"
    for directory in (state, state / "spool", state / "spool" / "server"):
        assert directory.stat().st_mode & 0o777 == 0o700, directory


def test_a_stream_is_private_and_says_who_writes_it(tmp_path: Path) -> None:
    who = header()
    stream = create_stream(tmp_path / "spool", who, max_bytes=1 << 20)
    fill(stream, bodies(1))
    assert stream_directories(tmp_path / "spool") == [stream.directory]
    assert read_header(stream.directory) == who
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert stream.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in stream.directory.iterdir()} == {0o600}


def test_the_last_tenth_of_the_space_is_for_what_ends(tmp_path: Path) -> None:
    stream = create(tmp_path, max_bytes=10_000)
    kept = 0
    with pytest.raises(SpoolFullError):
        for body in bodies(1000):
            stream.append(body)
            kept += 1
    assert stream.used_bytes <= 9000
    stream.append(b"an end", reserve=True)
    with pytest.raises(SpoolFullError):
        for body in bodies(1000):
            stream.append(body, reserve=True)
    assert stream.used_bytes <= 10_000
    assert read_all(stream.directory)[kept].body == b"an end"


def test_a_disk_that_takes_only_part_of_a_frame_leaves_no_trace_of_it(tmp_path: Path) -> None:
    """A limit on file sizes stands for a full disk: both take what fits, then refuse."""
    stream = create(tmp_path)
    fill(stream, bodies(10))
    open_files = set(Path("/proc/self/fd").iterdir())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10 * 36 + 30, before[1]))
    try:
        for _ in range(3):
            with pytest.raises(OSError, match=r"part of the frame|File too large"):
                stream.append(b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    stream.append(b"there is room again")
    assert set(Path("/proc/self/fd").iterdir()) == open_files
    assert [frame.body for frame in read_all(stream.directory)] == [
        *bodies(10),
        b"there is room again",
    ]


def test_an_interrupt_between_file_and_number_is_made_good(tmp_path: Path) -> None:
    stream = create(tmp_path)
    fill(stream, bodies(3))
    real_write = os.write

    def write_and_be_interrupted(file: int, data: bytes) -> int:
        real_write(file, data)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", write_and_be_interrupted)
        with pytest.raises(KeyboardInterrupt):
            stream.append(b"written, but not counted")
    stream.append(b"next")
    assert [frame.body for frame in read_all(stream.directory)] == [
        *bodies(3),
        b"written, but not counted",
        b"next",
    ]


def test_a_missing_segment_is_a_gap_and_a_slow_writer_is_none(
    tmp_path: Path, small_segments: None
) -> None:
    stream = create(tmp_path)
    fill(stream, bodies(100))
    starts = segment_starts(stream.directory)
    reader = SpoolReader(stream.directory)
    assert not reader.has_gap()
    segment_path(stream.directory, starts[2]).unlink()
    while reader.read():
        pass
    assert reader.sequence == starts[2] - 1
    assert reader.has_gap()
