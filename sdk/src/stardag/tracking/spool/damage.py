"""What is left of a stream whose files came to harm: all before the first bad frame.

A frame that is torn at the very end was never whole, and is none of this: what follows the
damage is. Files are damaged where a machine lost power or a disk fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag.tracking.spool import frames
from stardag.tracking.spool.reader import SpoolReader, segment_path, segment_starts

if TYPE_CHECKING:
    from pathlib import Path

    from stardag.tracking.spool.frames import Frame

_LOOK_FOR = 8
"""How many frames in a row may be damaged for what is behind them to be noticed."""


def cut_damage(directory: Path) -> Frame | None:
    """Cut a stream at its first damaged or missing frame; return the last event behind that.

    None if nothing is wrong, or nothing is left behind. Segments behind the damage are put aside,
    in `damaged/`. Only for who has the writer's lock. Raises `OSError`.
    """
    starts = segment_starts(directory)
    if not starts:
        return None
    with SpoolReader(directory, starts[0] - 1) as reader:
        while reader.read():
            pass
        whole, offset = reader.sequence, reader.offset
    behind = [start for start in starts if start > whole + 1]
    if not behind:
        damaged = segment_path(directory, max(start for start in starts if start <= whole + 1))
        return _last_in(damaged.read_bytes()[offset:], whole + 1)
    last = _last_from(directory, behind)
    aside = directory / "damaged"
    aside.mkdir(mode=0o700, exist_ok=True)
    for start in behind:
        path = segment_path(directory, start)
        path.rename(aside / path.name)
    return last


def _last_in(data: bytes, sequence: int) -> Frame | None:
    """Return the last whole event behind the bad frame `sequence`, if there is one."""
    for following in range(sequence + 1, sequence + 1 + _LOOK_FOR):
        if found := frames.find(data, following):
            return next((frame for frame in reversed(found) if frame.body), None)
    return None


def _last_from(directory: Path, starts: list[int]) -> Frame | None:
    """Return the last whole event of the last segment that has one."""
    for start in reversed(starts):
        last = None
        with SpoolReader(directory, start - 1) as reader:
            while batch := reader.read():
                last = batch[-1]
        if last is not None:
            return last
    return None
