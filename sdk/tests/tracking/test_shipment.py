"""One stream's delivery: it ends when it is told to, and knows when it is not the one to go on."""

from __future__ import annotations

import asyncio
import random
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.tracking.connection.verdict import Fault, Verdict
from stardag.tracking.sender.dispatch import Dispatch
from stardag.tracking.sender.shipment import Shipment
from stardag.tracking.sender.uplink import Server
from stardag.tracking.spool import frames
from stardag.tracking.spool.delivery import read_delivery
from stardag.tracking.spool.streams import StreamHeader, create_stream
from stardag.v1 import event_pb2

from .event_server import EventServer, Journal
from .test_sync import STARTED_AND_COMPLETED, abandoned_stream


class Told:
    """A witness that keeps what it is told."""

    def __init__(self) -> None:
        self.news: list[str] = []

    def connected(self) -> None:
        self.news.append("connected")

    def failed(self, verdict: Verdict) -> None:
        self.news.append(verdict.fault.name)


@pytest.fixture
def refusing(journal: Journal) -> Iterator[EventServer]:
    running = EventServer(journal, token="right")
    yield running
    running.stop()


def server_at(running: EventServer, token: str | None = None) -> Server:
    return Server(parse_address(running.address), Credential(token=token))


async def test_a_delivery_that_is_cancelled_ends_whatever_the_server_says_meanwhile(
    refusing: EventServer, tmp_path: Path
) -> None:
    stream, server = abandoned_stream(tmp_path, STARTED_AND_COMPLETED), server_at(refusing, "wrong")
    took = 0.0
    for _ in range(200):
        began = time.monotonic()
        delivery = asyncio.create_task(Shipment(stream).attempt(server, Told()))
        # around the moment of the answer, as far as that can be foreseen
        await asyncio.wait([delivery], timeout=random.uniform(0.8, 1.2) * took or None)
        if delivery.cancel():
            with pytest.raises(asyncio.CancelledError):
                await delivery
        else:
            verdict = await delivery
            assert verdict is not None
            assert verdict.fault in (Fault.CREDENTIAL, Fault.UNKNOWN)
            took = time.monotonic() - began


async def test_a_server_whose_first_word_takes_seconds_is_reached(
    refusing: EventServer, tmp_path: Path
) -> None:
    """As on a line by satellite, where TCP, TLS and HTTP/2 greet one after the other."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()
        await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.5)
        back, forth = await asyncio.open_connection("127.0.0.1", refusing.port)
        await asyncio.gather(copy(reader, forth), copy(back, writer))
        hung_up.set()

    hung_up = asyncio.Event()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as line:
        port = line.sockets[0].getsockname()[1]
        server = Server(parse_address(f"127.0.0.1:{port}"), Credential("right"))
        stream = abandoned_stream(tmp_path, STARTED_AND_COMPLETED)
        assert await Shipment(stream).attempt(server, Told(), complete=lambda _: True) is None
        await hung_up.wait()


async def test_a_server_that_takes_long_to_acknowledge_is_waited_for_longer_each_time(
    refusing: EventServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stardag.tracking.sender.shipment._PATIENCE_S", 0.1)
    refusing.slow_s = 0.6
    stream, told = abandoned_stream(tmp_path, STARTED_AND_COMPLETED), Told()
    slow, server = Shipment(stream), server_at(refusing, "right")
    while await slow.attempt(server, told, complete=lambda _: True):
        assert told.news[-1] == "SILENCE"
        assert len(told.news) < 5
    assert told.news[-1] == "connected"


async def test_what_is_wrong_is_logged_once_until_the_server_is_back(
    refusing: EventServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The sender of a machine that is offline for weeks must not fill its disk."""
    stream, server = abandoned_stream(tmp_path, STARTED_AND_COMPLETED), server_at(refusing, "right")
    shipment = Shipment(stream)
    for outage in (1, 2):
        refusing.unexplained = True
        for _ in range(3):
            await shipment.attempt(server, Told())
        assert len(caplog.records) == outage
        refusing.unexplained = False
        await shipment.attempt(server, Told(), complete=lambda _: True)


async def test_a_failure_nobody_explained_is_told_only_when_it_repeats(
    refusing: EventServer, tmp_path: Path
) -> None:
    """Grpc hides the server's answer if that comes before the client's first word."""
    stream, told = abandoned_stream(tmp_path, STARTED_AND_COMPLETED), Told()
    refusing.unexplained = True
    shipment, server = Shipment(stream), server_at(refusing, "right")
    for news in ([], ["UNKNOWN"], ["UNKNOWN"] * 2):
        verdict = await shipment.attempt(server, told)
        assert verdict is not None
        assert not verdict.answered
        assert told.news == news
    refusing.unexplained = False
    assert await shipment.attempt(server, told, complete=lambda _: True) is None
    refusing.unexplained = True
    told.news.clear()
    await shipment.attempt(server, told)
    assert told.news == []


async def test_a_stream_that_another_sender_has_is_left_to_it(
    refusing: EventServer, tmp_path: Path
) -> None:
    header = StreamHeader(str(uuid.uuid4()), "test/1", socket.gethostname(), 1, "", None)
    live = create_stream(tmp_path, header, max_bytes=1 << 20)
    refusing.superseded.add(header.stream_id)
    shipment = Shipment(live.directory)
    async with asyncio.timeout(20):
        await shipment.deliver(server_at(refusing, "right"), Told(), asyncio.Semaphore())
    assert not shipment.delivered
    live.release()


async def test_a_server_that_opens_streams_and_commits_nothing_is_not_connected(
    refusing: EventServer, tmp_path: Path
) -> None:
    stream, told = abandoned_stream(tmp_path, STARTED_AND_COMPLETED), Told()
    refusing.fail_after = 1
    await Shipment(stream).attempt(server_at(refusing, "right"), told)
    assert told.news == ["SERVER"]
    refusing.fail_after = None
    told.news.clear()
    await Shipment(stream).attempt(server_at(refusing, "right"), told, complete=lambda _: True)
    assert told.news == ["connected"], "it has all of it already"


async def test_a_sender_takes_no_stream_of_another_machine_for_complete(
    refusing: EventServer, journal: Journal, tmp_path: Path
) -> None:
    """Its home may be shared: that nothing more is there now says nothing of later."""
    header = StreamHeader(str(uuid.uuid4()), "test/1", "another", 1, "another boot", None)
    stream = create_stream(tmp_path, header, max_bytes=1 << 20)
    dispatch = Dispatch(tmp_path, server_at(refusing, "right"), None, retention_s=3600)
    sender = asyncio.create_task(dispatch.run())
    for count in (1, 2):
        event = event_pb2.NewEvent(build_id=bytes(16), type=event_pb2.EVENT_TYPE_BUILD_STARTED)
        stream.append(frames.body(event.SerializeToString()))
        async with asyncio.timeout(20):
            while read_delivery(stream.directory).acked < count:
                await asyncio.sleep(0.01)
    stream.finish()
    async with asyncio.timeout(20):
        await sender
    assert len(journal.all_events()) == 2
    assert (tmp_path / "done" / header.stream_id).exists()
