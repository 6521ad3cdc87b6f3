"""Rows that stay at the bottom of a terminal, whatever else is written to it.

Everything else goes on in a scrolling region above them (DECSTBM of the VT100, which every terminal
has kept), as apt does it. So nothing has to pass through here to come out whole: what tasks and
their processes print, a bar that draws over itself, a debugger.
"""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

_SAVE, _RESTORE = "\x1b7", "\x1b8"  # the cursor, its colours, and whether lines wrap
_NO_WRAP = "\x1b[?7l"
_ERASE_BELOW, _ERASE_LINE = "\x1b[J", "\x1b[2K"
_WHOLE_SCREEN = "\x1b[r"
_SHARE = 3


class PinnedRows:
    """Rows at the bottom of one terminal. Each call is one write; takes calls from any thread."""

    def __init__(self, stream: TextIO) -> None:
        """Pin nothing yet to the terminal that `stream` writes to."""
        self._stream = stream
        self._lock = threading.Lock()
        self._pinned = 0
        self._size = os.terminal_size((0, 0))
        self._closed = False

    @property
    def room(self) -> tuple[int, int]:
        """Columns of the terminal, and rows that may be pinned: a third of it. Raises OSError."""
        columns, lines = os.get_terminal_size(self._stream.fileno())
        return columns, lines // _SHARE

    def show(self, rows: Sequence[str]) -> None:
        """Replace what is pinned; rows once taken are kept. Raises OSError and ValueError.

        A row fits the terminal, and has no control characters but for colours.
        """
        with self._lock:
            if self._closed:
                return
            if not self._pinned:
                atexit.register(self.close)
            size = os.get_terminal_size(self._stream.fileno())
            frame = [self._forget()] if size != self._size else []
            self._size = size
            if len(rows) > self._pinned:
                # room is made below the cursor, which comes back to the column where it was
                more = len(rows) - self._pinned
                frame.append("\x1bD" * more + f"\x1b[{more}A")
                self._pinned = len(rows)
            top = size.lines - self._pinned
            # anew each time: whoever has the terminal in between may have reset it
            frame.append(f"{_SAVE}\x1b[1;{top}r{_NO_WRAP}")
            for i in range(self._pinned):
                row = rows[i] if i < len(rows) else ""
                frame.append(f"\x1b[{top + 1 + i};1H{_ERASE_LINE}{row}\x1b[0m")
            frame.append(f"\x1b[?7h{_RESTORE}")
            self._write("".join(frame))

    def close(self, last: str = "") -> None:
        """Leave the terminal as it would be without, and write a last line, if there is one.

        Raises OSError and ValueError.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            atexit.unregister(self.close)
            text = self._forget() if self._pinned else ""
            if last:
                # Where the cursor is, is not known: blanks for a whole row end in the next one,
                # unless they begin at its start.
                text += f"{' ' * self._size.columns}\r{_ERASE_BELOW}{last}\n"
            self._write(text)

    def _forget(self) -> str:
        """Return what lifts the region, and erases below the cursor; nothing else is there."""
        self._pinned = 0
        return f"{_SAVE}{_WHOLE_SCREEN}{_RESTORE}{_ERASE_BELOW}"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
