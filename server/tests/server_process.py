"""A `stardag-server` in a process of its own, for tests across a real socket."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import grpc

_TIMEOUT = 30.0


@dataclass
class ServerProcess:
    """A server on a free port of loopback; as a context manager it ends with the block.

    Its standard error goes to `stderr.log` in the data folder.
    """

    data_dir: Path
    database_url: str | None = None
    port: int = 0
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict[str, str])
    """Variables that are set for it beside those of this process."""

    def start(self) -> Self:
        """Start the server and wait until it listens. Raises AssertionError if it ends instead."""
        command = [sys.executable, "-m", "stardag_server", "--data-dir", str(self.data_dir)]
        command += ["--port", str(self.port)]
        command += self.options
        if self.database_url:
            command += ["--database-url", self.database_url]
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "stderr.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment() | self.environment,
            )
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._reap()
        assert line.startswith("listening on "), (self.data_dir / "stderr.log").read_text()
        self.address = line.removeprefix("listening on ").strip()
        # The same port after a restart, so that clients find it again.
        self.port = int(self.address.rsplit(":", 1)[1])
        return self

    def said(self) -> list[str]:
        """Return the lines that a server prints after the first, once it has printed them."""
        assert self._process.stdout
        lines: list[str] = []
        while not lines or "http://" not in lines[-1]:
            lines.append(self._process.stdout.readline())
        return lines

    def signal(self, number: int) -> None:
        """Send the server a signal."""
        self._process.send_signal(number)

    def runs(self) -> bool:
        """Return whether the server has been started and has not ended."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @property
    def token(self) -> str:
        """The token that calls must carry."""
        return (self.data_dir / "token").read_text().strip()

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata that calls must carry."""
        return (("authorization", f"Bearer {self.token}"),)

    def channel(self) -> grpc.aio.Channel:
        """Return a channel to the server, which the caller closes."""
        return grpc.aio.insecure_channel(self.address)

    def kill(self) -> None:
        """End the server without a chance to say good-bye."""
        self._process.kill()
        self._reap()

    def terminate(self) -> int:
        """Ask the server to end, wait until it has, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until the server has ended, and return its exit code."""
        return self._reap()

    def _reap(self) -> int:
        code = self._process.wait(_TIMEOUT)
        assert self._process.stdout
        self._process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `stardag-server` with these arguments until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "stardag_server", *arguments],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        env=_environment() | environment,
        check=False,
    )


def _environment() -> dict[str, str]:
    """Return the environment of a server: no settings of this machine, fast to start."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("STARDAG_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    # Compiling the libraries takes most of the time of a start.
    cache = Path(tempfile.gettempdir()) / "stardag-pycache"
    return environment | {"PYTHONPYCACHEPREFIX": str(cache), "STARDAG_SERVER_HTTP_PORT": "0"}
