"""The streams of dead processes are closed, whatever is in the way at first."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stardag.tracking.reader import SpoolReader
from stardag.tracking.shipment import Shipment
from stardag.tracking.spool import lock_if_orphaned

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
