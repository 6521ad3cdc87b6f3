"""A local server: found while it lives, however many look for it, and never by mistake."""

from __future__ import annotations

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import local_server
import pytest
from local_server import LocalServer, LocalServerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path, address: str) -> Iterator[LocalServer]:
    server = LocalServer(address, tmp_path / "server")
    yield server
    server.stop()


def accepts(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_it_is_there_from_start_to_stop(server: LocalServer, address: str) -> None:
    assert server.pid() is None and server.stop() is None
    pid = server.start()
    assert accepts(address)
    assert server.pid() == pid
    assert server.stop() == pid
    assert server.pid() is None
    assert not accepts(address)


def test_who_starts_it_at_once_shares_one_server(server: LocalServer, tmp_path: Path) -> None:
    starters = [LocalServer(server.address, tmp_path / "server") for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        pids = list(pool.map(LocalServer.start, starters))
    assert set(pids) == {server.pid()}


def test_one_that_listens_elsewhere_is_not_taken_for_it(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = server.start()
    monkeypatch.setattr(local_server, "START_SECONDS", 0.1)
    with pytest.raises(LocalServerError, match=rf"process {pid}\) does not listen on 127.0.0.1:1$"):
        LocalServer("127.0.0.1:1", tmp_path / "server").start()


def test_a_killed_server_is_known_to_be_gone(server: LocalServer) -> None:
    pid = server.start()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert server.pid() is None
    assert server.stop() is None


def test_a_process_id_left_behind_is_not_taken_for_a_server(
    server: LocalServer, tmp_path: Path
) -> None:
    (tmp_path / "server.pid").write_text(f"{os.getpid()}\n")
    assert server.pid() is None
    assert server.stop() is None
