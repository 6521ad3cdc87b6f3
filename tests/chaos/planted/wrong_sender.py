"""Senders that lose what they are to deliver; each the first time that it can."""

from __future__ import annotations

from typing import Any

from fail_points import is_first


def forget_on_send(write: Any) -> Any:
    """Take for acknowledged what was sent; of all that is, the first batch is lost on its way."""

    async def written(self: Any, request: bytes) -> None:
        is_batch = self.window.unacked
        if is_batch:
            self.window.acked = self.window.sent
            self._tell()
        if not is_batch or not is_first():
            await write(self, request)

    return written


def skip_a_segment(_: Any) -> Any:
    """Go on with the segment after the next one."""
    from stardag.tracking.spool.reader import SpoolReader, segment_starts

    class Reader(SpoolReader):
        def _open(self, first: int) -> bool:
            later = [start for start in segment_starts(self.directory) if start > first]
            if first > 1 and later and is_first():
                self.sequence = later[0] - 1
                first = later[0]
            return super()._open(first)

    return Reader


def take_for_acknowledged(is_acked: Any) -> Any:
    """Put a stream aside of which nothing was sent."""

    def acked(self: Any, *args: Any) -> bool:
        return is_acked(self, *args) or is_first()

    return acked
