"""A tracking server of one's own: a process that outlives the one that started it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
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
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return int(self._pid_file.read_text() or 0) or None
        return None

    def start(self) -> int:
        """Start the server, wait until it listens, and return its process id.

        Raises `LocalServerError` if it does not come to listen.
        """
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with self._pid_file.open("a") as pid_file, self._log_file.open("w") as log:
            self._lock(pid_file)
            process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[pid_file.fileno()],  # and with it the lock
            )
            pid_file.truncate(0)
            pid_file.write(f"{process.pid}\n")
        listening = f"listening on {self.address}"
        _wait(lambda: listening in self._log() or process.poll() is not None, START_SECONDS)
        if listening not in self._log():
            process.kill()
            raise LocalServerError(f"the server did not start: {self._last_words()}")
        return process.pid

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

    @staticmethod
    def _lock(pid_file: IO[str]) -> None:
        try:
            fcntl.flock(pid_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalServerError(
                "the server is being started or looked at by another process: try again"
            ) from None

    def _command(self) -> list[str]:
        _, _, port = self.address.rpartition(":")
        directory = str(self._data_dir)
        return [sys.executable, "-m", "stardag_server", "--data-dir", directory, "--port", port]

    def _log(self) -> str:
        return self._log_file.read_text()

    def _last_words(self) -> str:
        lines = self._log().strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether the condition came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met
