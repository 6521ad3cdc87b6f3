"""A program in a real pseudo-terminal, and a terminal emulator that shows what it writes."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte

HERE = Path(__file__).parent


class Terminal:
    """A terminal with one program in it."""

    def __init__(
        self, program: str, *arguments: str, columns: int = 80, lines: int = 24, **env: str
    ):
        self.screen: Any = pyte.HistoryScreen(columns, lines, history=10_000, ratio=0.5)
        self._stream: Any = pyte.ByteStream(self.screen)
        self.written = b""
        self._master, slave = os.openpty()
        self._resize_pty(columns, lines)
        kept = {k: v for k, v in os.environ.items() if k not in ("CI", "NO_COLOR", "FORCE_COLOR")}
        Path("program.py").write_text(program)
        self.process = subprocess.Popen(
            [sys.executable, "program.py", *arguments],
            env={**kept, "PYTHONPATH": str(HERE), "TERM": "xterm-256color", **env},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(lines, columns)
        self._resize_pty(columns, lines)

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def show_until(self, *texts: str) -> str:
        """Read until the screen shows all of these texts, and return it."""
        self.read_until(lambda: all(text in self.shown for text in texts), f"no {texts}")
        return self.shown

    def read_until(self, condition: Callable[[], bool], problem: str) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, f"{problem}:\n{self.shown}"
            assert self._read(), f"{problem} when the program ended:\n{self.shown}"

    def finish(self) -> int:
        """Read until the program has ended, and return its exit code."""
        deadline = time.monotonic() + 30
        while self._read():
            assert time.monotonic() < deadline, f"the program goes on:\n{self.shown}"
        return self.process.wait(timeout=30)

    def close(self) -> None:
        """End the program, if it goes on."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    @property
    def shown(self) -> str:
        """What is on the screen, without blanks at the ends of lines and below the last one."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    @property
    def scrolled(self) -> str:
        """All that was ever above the screen, and what is on it."""
        columns = range(self.screen.columns)
        above = ["".join(row[x].data for x in columns).rstrip() for row in self.screen.history.top]
        return "\n".join([*above, self.shown])

    def _read(self) -> bool:
        """Feed what the program has written, if it has within a moment; False at its end."""
        if not select.select([self._master], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # how Linux says that nobody has the other side open
            return False
        self.written += data
        self._stream.feed(data)
        return bool(data)

    def _resize_pty(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
