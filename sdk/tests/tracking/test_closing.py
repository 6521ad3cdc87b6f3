"""The streams of dead processes are closed, whatever is in the way at first."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stardag.tracking.sender.closing import close_if_orphaned
from stardag.tracking.sender.shipment import Shipment
from stardag.tracking.spool import frames
from stardag.tracking.spool.reader import SpoolReader
from stardag.tracking.spool.streams import lock_if_orphaned, read_header
from stardag.v1 import event_pb2

from .test_sync import STARTED, abandoned_stream


def is_closed(stream: Path) -> bool:
    reader = SpoolReader(stream)
    while reader.read():
        pass
    reader.close()
    return reader.ended


async def test_a_stream_is_closed_though_somebody_else_looks_if_its_writer_lives(
    tmp_path: Path,
) -> None:
    """Who looks has the writer's lock for a moment."""
    stream = abandoned_stream(tmp_path, STARTED)
    only_thread = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(only_thread)
    looked = threading.Event()
    only_thread.submit(looked.wait)
    closing = asyncio.create_task(Shipment(stream).close_when_orphaned())
    await asyncio.sleep(0)  # it has found the writer gone, and waits for the thread
    lock = lock_if_orphaned(stream)
    assert lock is not None
    looked.set()
    await asyncio.get_running_loop().run_in_executor(None, is_closed, stream)  # it was its turn
    os.close(lock)
    async with asyncio.timeout(30):
        await closing
    assert is_closed(stream)


async def test_of_a_stream_that_is_closed_no_file_stays_open(tmp_path: Path) -> None:
    """Pools leave many, and a process can have a thousand files open."""
    stream = abandoned_stream(tmp_path, STARTED)
    open_files = set(Path("/proc/self/fd").iterdir())
    assert close_if_orphaned(stream, read_header(stream), seen_alive=False)
    assert set(Path("/proc/self/fd").iterdir()) == open_files


def types_in(stream: Path) -> list[str]:
    """Return what the stream says, in order."""
    reader = SpoolReader(stream)
    found = [event_pb2.NewEvent.FromString(frames.event(frame.body)) for frame in reader.read()]
    reader.close()
    return [event_pb2.EventType.Name(event.type).removeprefix("EVENT_TYPE_") for event in found]


async def test_a_stream_is_closed_once_the_disk_has_room_for_it(tmp_path: Path) -> None:
    """A limit on file sizes stands for a full disk: both refuse."""
    stream = abandoned_stream(tmp_path, STARTED)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        closing = asyncio.create_task(Shipment(stream).close_when_orphaned())
        await asyncio.wait([closing], timeout=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not closing.done()
    async with asyncio.timeout(30):
        await closing
    assert is_closed(stream)


@pytest.mark.parametrize(
    ("said", "died"),
    [
        (["EVENTS_LOST"], True),
        (["EVENTS_LOST", "TASK_PENDING"], True),
        (["EVENTS_LOST", "BUILD_COMPLETED"], False),
        (["BUILD_STARTED", "BUILD_COMPLETED", "EVENTS_LOST"], False),
        (["TASK_COMPLETED"], False),
    ],
)
async def test_a_build_whose_start_was_lost_has_died_too_unless_it_ended(
    tmp_path: Path, said: list[str], died: bool
) -> None:
    """A full disk may have taken the start. Without a loss, the build is somebody else's."""
    types = [event_pb2.EventType.Value(f"EVENT_TYPE_{name}") for name in said]
    stream = abandoned_stream(tmp_path, types)
    await Shipment(stream).close_when_orphaned()
    assert types_in(stream) == [*said, *["PRODUCER_DIED"] * died]
