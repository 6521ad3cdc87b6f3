"""Progress as lines, for a log: no more than there is to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stardag._readable import elapsed
from stardag.build.progress import wording
from stardag.build.progress.state import Phase

if TYPE_CHECKING:
    from typing import TextIO

    from stardag.build.observer import BuildView
    from stardag.build.progress.state import Snapshot

CHANGED_S, UNCHANGED_S = 10.0, 60.0
"""Least seconds between two lines, after a change and without; a failure waits for nothing."""


class Lines:
    """Writes a line at the start, now and then, for each failure, and at the end."""

    period_s = 1.0
    first = 1

    def __init__(self, stream: TextIO, view: BuildView) -> None:
        """Write to `stream`."""
        self._stream = stream
        self._view = view
        self._said_at: float | None = None
        self._counts = ""
        self._failures = 0

    def show(self, snapshot: Snapshot) -> None:
        """Say what is new, if it is time to. Raises OSError or ValueError if nobody can listen."""
        for failed in snapshot.failures[self._failures :]:
            self._say(f"failed: {wording.failure_text(failed)}")
        self._failures = len(snapshot.failures)
        counts = wording.counts(snapshot)
        wait_s = CHANGED_S if counts != self._counts else UNCHANGED_S
        if self._said_at is None or snapshot.now - self._said_at >= wait_s:
            self._said_at, self._counts = snapshot.now, counts
            self._say(self._state(snapshot, counts))

    def end(self, snapshot: Snapshot, summary: str) -> None:
        """Say which failures are new, and how it ended. Raises as `show`."""
        self._said_at = snapshot.now
        self._counts = wording.counts(snapshot)
        self.show(snapshot)
        self._say(summary)

    def close(self) -> None:
        """Leave everything as it is: lines stay."""

    def _state(self, snapshot: Snapshot, counts: str) -> str:
        if not snapshot.total:
            return "looking for what is missing"
        parts = [f"{snapshot.ended.total:,} of {snapshot.total:,} tasks", counts]
        parts.append(wording.outlook(snapshot))
        for phase in (Phase.BLOCKED, Phase.RUNNING):
            for begun in snapshot.longest[phase][:1]:
                lasts = f"{phase.value} for {elapsed(snapshot.now - begun.since)}"
                parts.append(f"{wording.text_of(begun.task)} {lasts}")
                parts.append(wording.reason(begun, self._view))
        return "; ".join(filter(None, parts))

    def _say(self, line: str) -> None:
        self._stream.write(f"stardag: {line}\n")
        self._stream.flush()
