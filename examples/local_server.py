"""A tracking server of one's own: a process that outlives the one that started it."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

START_SECONDS = 30.0
STOP_SECONDS = 15.0


class LocalServerError(Exception):
    """The server can't be started or stopped; one line for people says why."""


class LocalServer:
    """A server on SQLite, in a data directory of its own.

    Beside the directory are two files, its name with `.pid` and with `.log`. The server holds
    a lock on the first for as long as it lives, so that a process id left behind by a crash is
    never taken for a server.
    """

    def __init__(self, address: str, data_dir: Path) -> None:
        """Describe the server of `data_dir`, at `address` (`host:port`); starts nothing."""
        self.address = address
        self._data_dir = data_dir
        self._pid_file = data_dir.with_suffix(".pid")
        self._log_file = data_dir.with_suffix(".log")

    def pid(self) -> int | None:
        """Return the server's process id, or None if it does not run."""
        try:
            with self._pid_file.open() as file:
                if _locked(file, fcntl.LOCK_SH):
                    return None
                return int(file.read() or 0) or None
        except FileNotFoundError:
            return None

    def start(self) -> int:
        """Start the server unless it runs, and return its process id once it listens.

        Raises `LocalServerError` if it does not come to listen.
        """
        if self.pid() is None:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            with self._pid_file.open("a") as pid_file:
                # Held for longer, the lock is that of a server which another process started.
                if _wait(lambda: _locked(pid_file, fcntl.LOCK_EX), seconds=1.0):
                    self._launch(pid_file)
        _wait(lambda: self._listens() or self.pid() is None, START_SECONDS)
        pid = self.pid()
        if pid is None:
            raise LocalServerError(f"the server did not start: {self._last_words()}")
        if not self._listens():
            raise LocalServerError(f"the server (process {pid}) does not listen on {self.address}")
        return pid

    def stop(self) -> int | None:
        """End the server and return its process id; None if it did not run.

        Raises `LocalServerError` if it does not end.
        """
        pid = self.pid()
        if pid is None:
            return None
        os.kill(pid, signal.SIGTERM)
        if not _wait(lambda: self.pid() is None, STOP_SECONDS):
            raise LocalServerError(
                f"the server (process {pid}) was asked to end and still runs; see {self._log_file}"
            )
        return pid

    def _launch(self, pid_file: IO[str]) -> None:
        _, _, port = self.address.rpartition(":")
        command = [sys.executable, "-m", "stardag_server", "--port", port]
        command += ["--http-port", "off", "--data-dir", str(self._data_dir)]
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, self._log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        pid_file.truncate(0)
        os.set_inheritable(pid_file.fileno(), True)  # and with the file, the lock
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True)
        pid_file.write(f"{pid}\n")

    def _listens(self) -> bool:
        return f"listening on {self.address}" in self._log_file.read_text()

    def _last_words(self) -> str:
        lines = self._log_file.read_text().strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _locked(file: IO[str], operation: int) -> bool:
    """Return whether the lock could be taken; it is let go of when the file is closed."""
    try:
        fcntl.flock(file, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether the condition came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met
