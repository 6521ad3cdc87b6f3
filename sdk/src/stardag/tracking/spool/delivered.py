"""Streams that the server has, kept for a while in case it is restored from a backup.

<spool>/done/<stream id>/  as it was in the spool; removed when the retention has passed
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from stardag.tracking.spool.delivery import read_delivery, write_delivery
from stardag.tracking.spool.streams import stream_directories

if TYPE_CHECKING:
    from pathlib import Path

DONE = "done"


def put_aside(stream: Path) -> None:
    """Keep a stream that is delivered out of the way; its retention begins. Raises `OSError`."""
    done = stream.parent / DONE
    done.mkdir(mode=0o700, exist_ok=True)
    stream.rename(done / stream.name)
    os.utime(done / stream.name)


def take_back(spool: Path) -> None:
    """Have all that is kept count as undelivered again, for the server to say what it has.

    Only for who has the right to deliver the spool. Raises `OSError`.
    """
    for stream in stream_directories(spool / DONE):
        write_delivery(stream, replace(read_delivery(stream), acked=0, rejected=0))
        stream.rename(spool / stream.name)
