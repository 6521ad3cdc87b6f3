"""A server as its own process, on SQLite."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from support.waiting import until


class ServerProcess:
    """A `stardag-server` that can be killed and started again on the same data and port."""

    def __init__(self, data_dir: Path) -> None:
        """Prepare a server that keeps everything in `data_dir`."""
        self.data_dir = data_dir
        self.token_file = data_dir / "token"
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log = data_dir.with_suffix(".log")

    @property
    def address(self) -> str:
        """Where it listens, once it was started."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it serves."""
        command = [sys.executable, "-m", "stardag_server", "--data-dir", str(self.data_dir)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self._port)], stdout=log, stderr=subprocess.STDOUT
            )
        found = until(self._listening, "the server to listen")
        self._port = int(found.group(1))

    def _listening(self) -> re.Match[str] | None:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        return re.search(r"listening on 127\.0\.0\.1:(\d+)", self._log.read_text())

    def kill(self) -> None:
        """End it at once, as the kernel would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it politely, and return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(timeout=30)
