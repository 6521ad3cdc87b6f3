"""What a full disk takes from the record of a build, and what it must leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stardag.tracking.sender.closing import close_if_orphaned
from stardag.tracking.spool import frames
from stardag.tracking.spool.reader import SpoolReader
from stardag.tracking.spool.streams import read_header, stream_directories
from stardag.v1 import event_pb2

from .chaos.disk import SmallDisk

if TYPE_CHECKING:
    from collections.abc import Iterator

BUILD = """
import os, sys
import stardag as sd

@sd.task
def number(k: int, dies: bool) -> int:
    if dies:
        os.kill(os.getpid(), 9)
    return k

dies = sys.argv[1] == "dies"
sd.build_sequential([number(k=k, dies=dies) for k in range(300)]).raise_for_status()
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        disk = SmallDisk(tmp_path / "disk", "128k")
    except PermissionError as error:
        pytest.skip(str(error))
    yield disk
    disk.unmount()


def build(state_dir: Path, ends: str) -> Path:
    """Run a build that has more to say than there is room for; return its stream."""
    environment = os.environ | {
        "STARDAG_OFFLINE": "true",
        "STARDAG_STATE_DIR": str(state_dir),
        "STARDAG_TARGET_ROOTS__DEFAULT": "memory://outputs",
    }
    command = [sys.executable, "-c", BUILD, ends]
    ended = subprocess.run(command, env=environment, check=False)
    assert ended.returncode == {"well": 0, "dies": -9}[ends]
    (stream,) = stream_directories(state_dir / "spool" / "local")
    return stream


def told(stream: Path) -> list[str]:
    with SpoolReader(stream) as reader:
        found: list[str] = []
        while batch := reader.read():
            events = [event_pb2.NewEvent.FromString(frames.event(frame.body)) for frame in batch]
            found += [event_pb2.EventType.Name(event.type) for event in events]
        return [name.removeprefix("EVENT_TYPE_") for name in found]


@pytest.mark.usefixtures("disk")
def test_a_build_whose_disk_was_full_is_incomplete_and_has_ended(tmp_path: Path) -> None:
    stream = build(tmp_path / "disk" / "state", "well")
    assert told(stream)[-2:] == ["EVENTS_LOST", "BUILD_COMPLETED"]


def test_a_build_that_died_is_said_to_have_died_while_the_disk_is_full(
    disk: SmallDisk, tmp_path: Path
) -> None:
    stream = build(tmp_path / "disk" / "state", "dies")
    disk.fill()
    assert close_if_orphaned(stream, read_header(stream), seen_alive=False)
    assert told(stream)[-1] == "PRODUCER_DIED"
