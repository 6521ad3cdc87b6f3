"""What nobody needs any more goes, and nothing else."""

from __future__ import annotations

import os
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from stardag.tracking.sender.cleaning import clean
from stardag.tracking.spool.delivered import put_aside
from stardag.tracking.spool.lease import Lease, sender_runs, take_lease
from stardag.tracking.spool.streams import StreamHeader, create_stream

from .test_sync import STARTED_AND_COMPLETED, abandoned_stream
from .waiting import until

DAY_S = 86_400.0


def header() -> StreamHeader:
    return StreamHeader(str(uuid.uuid4()), "test/1", socket.gethostname(), 1, "", None)


def grow_old(directory: Path) -> None:
    """Have it look as if nobody had touched it for two days."""
    for path in [*directory.rglob("*"), directory]:
        then = path.stat().st_mtime - 2 * DAY_S
        os.utime(path, (then, then))


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool of which everything is delivered, as its sender leaves it."""
    spool = tmp_path / "here-1"
    put_aside(abandoned_stream(spool, STARTED_AND_COMPLETED))
    for name in ("sender.json", "sender.log", "sender.lock"):
        (spool / name).touch()
    return spool


def test_a_spool_that_nobody_uses_any_more_is_removed(spool: Path) -> None:
    grow_old(spool)
    clean(spool.parent, DAY_S)  # what is in it goes first
    assert [path.name for path in (spool / "done").iterdir()] == []
    grow_old(spool)
    clean(spool.parent, DAY_S)
    assert not spool.exists()


def test_a_spool_that_was_used_not_long_ago_stays(spool: Path) -> None:
    (stream,) = (spool / "done").iterdir()
    clean(spool.parent, DAY_S)
    assert stream.exists()
    assert (spool / "sender.log").exists()


@pytest.mark.parametrize("what", ["stream", "stranger", "sender"])
def test_a_spool_that_has_something_or_a_sender_stays(spool: Path, what: str) -> None:
    grow_old(spool)
    clean(spool.parent, DAY_S)
    lease = None
    match what:
        case "stream":
            abandoned_stream(spool, STARTED_AND_COMPLETED)
        case "stranger":
            (spool / "notes.txt").touch()
        case _:
            lease = take_lease(spool, "sync")
    before = {path.name for path in spool.iterdir()}
    grow_old(spool)
    clean(spool.parent, DAY_S)
    assert {path.name for path in spool.iterdir()} == before
    if lease is not None:
        lease.release()


def test_what_a_builder_left_when_it_died_making_its_stream_is_removed(tmp_path: Path) -> None:
    spool = tmp_path / "here-1"
    mine = create_stream(spool, header(), max_bytes=1 << 20)
    begun, being_made = (spool / f".{uuid.uuid4()}" for _ in range(2))
    mine.directory.rename(being_made)  # its writer, who lives, has the lock
    begun.mkdir()
    (begun / "writer.lock").touch()
    grow_old(spool)
    young = spool / f".{uuid.uuid4()}"
    young.mkdir()
    clean(tmp_path, DAY_S)
    assert not begun.exists()
    assert being_made.exists()
    assert young.exists()
    mine.release()


def test_whoever_waits_for_a_lock_that_is_removed_gets_the_one_that_others_see(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "sender.lock"
    removing = take_lease(tmp_path, "sync")
    assert removing is not None

    def take() -> Lease:
        while (lease := take_lease(tmp_path, "sync")) is None:
            pass
        return lease

    def openings() -> int:
        files = [os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()]
        return files.count(str(lock))

    with ThreadPoolExecutor(1) as waiting:
        taken = waiting.submit(take)
        until(lambda: openings() == 2)
        lock.unlink()
        removing.release()
        lease = taken.result()
    assert sender_runs(tmp_path)
    lease.release()


def test_a_stream_is_made_though_its_spool_is_removed_at_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = tmp_path / "here-1"
    spool.mkdir()
    make = Path.mkdir

    def make_late(path: Path, *args: Any, **kwargs: Any) -> None:
        if path.parent == spool and not passed:
            passed.append(path)
            spool.rmdir()
        make(path, *args, **kwargs)

    passed: list[Path] = []
    monkeypatch.setattr(Path, "mkdir", make_late)
    stream = create_stream(spool, header(), max_bytes=1 << 20)
    assert passed
    assert stream.directory.exists()
    stream.release()
