"""Progress in a terminal: what stands where, what runs and for how long, who waits for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stardag import _colours
from stardag._readable import elapsed
from stardag.build.progress import wording
from stardag.build.progress.pinned import PinnedRows
from stardag.build.progress.state import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from stardag.build.observer import BuildView
    from stardag.build.progress.state import Snapshot

_MOST_ROWS = 12
_BAR_COLUMNS, _TIME_COLUMNS = 24, 5
_ORDER = (Phase.BLOCKED, Phase.RETRYING, Phase.SUSPENDED, Phase.RUNNING)


class Live:
    """Draws a build at the bottom of a terminal, and leaves one line of it."""

    period_s = 0.25
    first = _MOST_ROWS

    def __init__(self, stream: TextIO, view: BuildView) -> None:
        """Draw on the terminal that `stream` writes to."""
        self._stream = stream
        self._view = view
        self._pinned = PinnedRows(stream)

    def show(self, snapshot: Snapshot) -> None:
        """Draw how things stand. Raises OSError or ValueError if the terminal is gone."""
        columns, room = self._pinned.room
        if room:
            self._pinned.show(draw(snapshot, self._view, self._console(columns), room))

    def end(self, snapshot: Snapshot, summary: str) -> None:
        """Leave how it ended. Raises as `show`."""
        self._pinned.close(f"stardag: {summary}")

    def close(self) -> None:
        """Leave nothing. Raises as `show`."""
        self._pinned.close()

    def _console(self, columns: int) -> Console:
        return Console(file=self._stream, force_terminal=True, width=columns)


def draw(snapshot: Snapshot, view: BuildView, console: Console, most: int) -> list[str]:
    """Return `most` rows or less, each as wide as the console at most."""
    most = min(most, _MOST_ROWS)
    with console.capture() as capture:
        console.print(_headline(snapshot))
        console.print(Text(wording.counts(snapshot)), no_wrap=True, overflow="ellipsis")
        console.print(_tasks(snapshot, view, max(0, most - 2)))
    return capture.get().splitlines()[:most]


def _headline(snapshot: Snapshot) -> Table:
    total, ended = snapshot.total, snapshot.ended.total
    parts = [f"{ended:,} of {total:,}" if total else "looking for what is missing"]
    parts.append(elapsed(snapshot.elapsed_s))
    parts.append(wording.outlook(snapshot))
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(width=_BAR_COLUMNS)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    green = _colours.GREEN
    bar = ProgressBar(
        total or None, ended, style=_colours.MUTED, complete_style=green, finished_style=green
    )
    table.add_row(bar, Text(" · ".join(filter(None, parts))))
    return table


def _tasks(snapshot: Snapshot, view: BuildView, most: int) -> Table:
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(no_wrap=True, justify="right", min_width=_TIME_COLUMNS)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for status, *texts in _chosen(snapshot, view, most):
        table.add_row(Text(status, style=_colours.OF_STATUS[status.upper()]), *map(Text, texts))
    return table


def _chosen(snapshot: Snapshot, view: BuildView, most: int) -> Iterator[tuple[str, str, str, str]]:
    """Return status, task, time and reason of the tasks to know of.

    None of a status has two rows while one of another has none.
    """
    failed = snapshot.failures[: -most - 1 : -1]
    groups = [failed, *(snapshot.longest[phase] for phase in _ORDER)]
    ranks = sorted(
        (rank, place) for place, group in enumerate(groups) for rank in range(len(group))
    )
    shown = [sum(place == p for _, p in ranks[:most]) for place in range(len(groups))]
    for failure in failed[: shown[0]]:
        yield "failed", wording.text_of(failure.task), "", wording.error_text(failure.error)
    for phase, number in zip(_ORDER, shown[1:], strict=True):
        for begun in snapshot.longest[phase][:number]:
            lasts = elapsed(snapshot.now - begun.since)
            yield phase.value, wording.text_of(begun.task), lasts, wording.reason(begun, view)
