"""Real servers, builders and command lines, each test with its own directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_process import ServerProcess
from support.senders import end_senders, senders

from stardag.client import Client
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential

PIPELINES = Path(__file__).with_name("pipelines.py")
STARDAG = Path(sys.executable).with_name("stardag")


class Workplace:
    """A directory with a server, a builder's state and outputs, and the settings for both."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server = ServerProcess(directory / "server")
        self.state = directory / "state"
        self.gate = directory / "gate"
        self.extra: dict[str, str] = {}

    def settings(self) -> dict[str, str]:
        ours = ("STARDAG_", "OTEL_", "CI")  # in CI, builds show progress
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return {
            **kept,
            "STARDAG_SERVER": self.server.address,
            "STARDAG_TOKEN_FILE": str(self.server.data_dir / "token"),
            "STARDAG_STATE_DIR": str(self.state),
            "STARDAG_TARGET_ROOTS__DEFAULT": str(self.directory / "targets"),
            "STARDAG_FLUSH_TIMEOUT": "20",
            **self.extra,
        }

    def start_build(self, name: str) -> subprocess.Popen[str]:
        """Start a builder that leads a process group of its own."""
        return subprocess.Popen(
            [sys.executable, str(PIPELINES), name, str(self.gate)],
            env=self.settings(),
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def client(self) -> Client:
        """Return a client of the server, which the caller closes."""
        credential = Credential(None, self.server.data_dir / "token")
        return Client(parse_address(self.server.address), credential)

    def build(self, name: str) -> Built:
        return finished(self.start_build(name))

    def stardag(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(STARDAG), *arguments],
            env=self.settings(),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def read(self, *arguments: str) -> Any:
        done = self.stardag(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def forget_outputs(self) -> None:
        shutil.rmtree(self.directory / "targets")

    def end_senders(self) -> None:
        end_senders(self.state)

    def senders(self) -> list[int]:
        """Return the ids of the processes that deliver what was built here."""
        return senders(self.state)


class Built:
    """What a finished builder printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.err = err
        lines = out.splitlines()
        assert len(lines) == 3, out + err
        self.id, self.status, self.counts = lines


def finished(process: subprocess.Popen[str]) -> Built:
    out, err = process.communicate(timeout=90)
    return Built(process.returncode, out, err)


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    """A place to work, with a server that runs."""
    place = Workplace(tmp_path)
    with place.server:
        yield place
    place.end_senders()
