"""What is left of a stream whose files came to harm: all before the first bad frame.

A frame that is torn at the very end was never whole, and is none of this: what follows the
damage is. Files are damaged where a machine lost power or a disk fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag.tracking.spool import frames
from stardag.tracking.spool.reader import SpoolReader, last_sequence, segment_path, segment_starts

if TYPE_CHECKING:
    from pathlib import Path


_LOOK_FOR = 8
"""How many frames in a row may be damaged for what is behind them to be noticed."""


def cut_damage(directory: Path) -> int:
    """Cut a stream at its first damaged or missing frame; return the last number behind that.

    0 if nothing is wrong. Segments behind the damage are put aside, in `damaged/`. Only for who
    has the writer's lock. Raises `OSError`.
    """
    starts = segment_starts(directory)
    if not starts:
        return 0
    reader = SpoolReader(directory, starts[0] - 1)
    try:
        while reader.read():
            pass
        whole, offset = reader.sequence, reader.offset
    finally:
        reader.close()
    behind = [start for start in starts if start > whole + 1]
    if not behind:
        damaged = segment_path(directory, max(start for start in starts if start <= whole + 1))
        return _last_behind(damaged.read_bytes()[offset:], whole + 1)
    last = last_sequence(directory)
    aside = directory / "damaged"
    aside.mkdir(mode=0o700, exist_ok=True)
    for start in behind:
        path = segment_path(directory, start)
        path.rename(aside / path.name)
    return last


def _last_behind(data: bytes, sequence: int) -> int:
    """Return the number of the last whole frame behind the bad frame `sequence`; 0 if none is."""
    for following in range(sequence + 1, sequence + 1 + _LOOK_FOR):
        if found := frames.find(data, following):
            return found[-1].sequence
    return 0
