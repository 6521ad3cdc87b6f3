"""Whether a server is there is found out, or given up, soon."""

from __future__ import annotations

import socket
import threading

import pytest

from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.probe import Probe


def test_what_listens_is_found_and_what_does_not_is_not() -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        probe = Probe(parse_address(f"127.0.0.1:{place.getsockname()[1]}"))
        assert not probe.listens()
        place.listen()
        assert probe.listens()


def test_a_name_that_is_not_looked_up_soon_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    looked_up: list[object] = []

    def without_a_network(*question: object, **_: object) -> None:
        answer.wait(60)
        looked_up.append(question)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", without_a_network)
    probe = Probe(parse_address("stardag.example.com:7465"))
    try:
        assert not probe.listens()
        assert not probe.listens()
        assert not looked_up
    finally:
        answer.set()


def test_a_host_that_can_have_no_address_is_none_that_listens() -> None:
    assert not Probe(parse_address(f"{'x' * 70}.example:1")).listens()
