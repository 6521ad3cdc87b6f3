"""A server, a state directory, and whatever processes come of them."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr

from stardag.config import Config, ServerConfig, TrackingConfig
from stardag.tracking import route
from stardag.tracking.spool.delivery import read_status

from .event_server import EventServer, Journal
from .waiting import until

MakeConfig = Callable[..., Config]


def sender_pids(state_dir: Path) -> list[int]:
    """Return the senders that live and serve a spool below `state_dir`."""
    found: list[int] = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                command = (process / "cmdline").read_bytes().decode(errors="replace")
                if "stardag.tracking.sender" in command and f"--spool={state_dir}/" in command:
                    found.append(int(process.name))
    return found


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    """A state directory; the senders that a test leaves behind end with it."""
    directory = tmp_path / "tracking-state"
    yield directory
    for pid in sender_pids(directory):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until(lambda: not sender_pids(directory))


def end_sender(state_dir: Path, number: signal.Signals) -> None:
    """Send the only sender a signal, and wait until it is gone."""
    (pid,) = sender_pids(state_dir)
    os.kill(pid, number)
    until(lambda: not sender_pids(state_dir))


@pytest.fixture(autouse=True)
def fresh_routes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a process's beginning: no stream is open yet. Its end says nothing."""
    routes: dict[Path, route.Route] = {}
    monkeypatch.setattr(route, "_routes", routes)
    yield
    for one in routes.values():
        atexit.unregister(one.end)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def server(journal: Journal) -> Iterator[EventServer]:
    running = EventServer(journal)
    yield running
    running.stop()


@pytest.fixture
def config(state_dir: Path) -> MakeConfig:
    """Make a configuration: for a server's address, with a token, with settings of tracking."""

    def make(address: str | None, token: str | None = "secret", **tracking: object) -> Config:
        return Config(
            server=ServerConfig(address=address, token=SecretStr(token) if token else None),
            tracking=TrackingConfig.model_validate({"state_dir": state_dir, **tracking}),
        )

    return make


def sender_state(spool: Path) -> str | None:
    status = read_status(spool)
    return status.state if status else None
