"""Whatever hits the port, the server lives, its memory is bounded, and a good client is served."""

import asyncio
import contextlib
import gzip
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf.message_factory import GetMessageClass
from producer import Producer
from running_server import Client
from server_process import ServerProcess
from test_transport import contract_methods

from stardag.v1 import (
    admin_service_pb2,
    asset_service_pb2,
    auth_service_pb2,
    build_service_pb2,
    event_service_pb2,
    lease_service_pb2,
    registry_service_pb2,
    workspace_service_pb2,
)
from stardag.v1.admin_service_pb2 import GetServerInfoRequest

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(200)
MODULES = (
    admin_service_pb2,
    asset_service_pb2,
    auth_service_pb2,
    build_service_pb2,
    event_service_pb2,
    lease_service_pb2,
    registry_service_pb2,
    workspace_service_pb2,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("hostile") / "data"
    with ServerProcess(folder) as server:
        yield server
        log = (folder / "stderr.log").read_text()
        assert "Traceback" not in log and "internal error" not in log


@pytest.fixture
async def client(server: ServerProcess) -> AsyncIterator[Client]:
    async with server.channel() as channel:
        yield Client(channel, server.metadata)


def connect(server: ServerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def memory(server: ServerProcess) -> float:
    return psutil.Process(server.pid).memory_info().rss / 1e6


async def served(client: Client) -> None:
    """Check that a good client is served: what it publishes is there."""
    make = Producer()
    await client.publish(make.open, [make.started(), make.completed()])
    await client.admin.GetServerInfo(GetServerInfoRequest(), metadata=client.metadata)


def frames(chance: random.Random) -> bytes:
    """Return HTTP/2 frames of any kind, with any content."""
    sent = PREFACE + SETTINGS
    for _ in range(chance.randrange(1, 20)):
        body = chance.randbytes(chance.randrange(0, 200))
        head = struct.pack(">I", len(body))[1:] + chance.randbytes(2)
        sent += head + struct.pack(">I", chance.randrange(0, 8)) + body
    return sent


def http2_noise(chance: random.Random) -> bytes:
    return PREFACE + chance.randbytes(4096)


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(4096)


def http1(_chance: random.Random) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def tls(_chance: random.Random) -> bytes:
    return HELLO


@pytest.mark.parametrize("garbage", [noise, http1, tls, http2_noise, frames])
async def test_garbage_on_the_port_changes_nothing_for_others(
    server: ServerProcess, client: Client, garbage: Callable[[random.Random], bytes]
):
    chance = random.Random(7)
    await served(client)
    before = memory(server)
    for _ in range(100):
        with contextlib.suppress(OSError), connect(server) as connection:
            connection.sendall(garbage(chance))
            connection.settimeout(0.01)
            connection.recv(100)
    await served(client)
    assert memory(server) - before < 50


async def test_a_message_that_unpacks_to_a_gibibyte_is_refused(
    server: ServerProcess, client: Client
):
    bomb = gzip.compress(bytes(1 << 30), compresslevel=9)
    assert len(bomb) < 2 << 20
    before = memory(server)

    def send() -> bytes:
        # By hand, as no client would compress that much for us.
        headers = _headers(server, "/stardag.v1.AdminService/GetServerInfo")
        body = b"\x01" + struct.pack(">I", len(bomb)) + bomb
        with connect(server) as connection:
            connection.sendall(PREFACE + SETTINGS + _frame(1, 4, headers))
            with contextlib.suppress(OSError):
                for begin in range(0, len(body), 16_000):
                    chunk = body[begin : begin + 16_000]
                    last = begin + 16_000 >= len(body)
                    connection.sendall(_frame(0, int(last), chunk))
            connection.settimeout(20)
            answer = b""
            with contextlib.suppress(OSError):
                while b"grpc-status" not in answer and (more := connection.recv(65_536)):
                    answer += more
            return answer

    await asyncio.to_thread(send)
    await served(client)
    assert memory(server) - before < 100


def _frame(kind: int, flags: int, body: bytes, stream: int = 1) -> bytes:
    head = struct.pack(">I", len(body))[1:] + bytes([kind, flags])
    return head + struct.pack(">I", stream) + body


def _headers(server: ServerProcess, path: str) -> bytes:
    """Return a block of HPACK with plain literals."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": server.address,
        "content-type": "application/grpc",
        "te": "trailers",
        "grpc-encoding": "gzip",
        "authorization": f"Bearer {server.token}",
    }
    block = b""
    for name, value in fields.items():
        block += b"\x00" + bytes([len(name)]) + name.encode()
        block += bytes([len(value)]) + value.encode()
    return block


def inputs() -> dict[str, Any]:
    """Return the class of each method's request, by path."""
    return {
        f"/{service.full_name}/{method.name}": GetMessageClass(method.input_type)
        for module in MODULES
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Return the bytes with some of them changed, cut, doubled or put in."""
    changed = bytearray(data or chance.randbytes(8))
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0:
                changed[at:at] = chance.randbytes(chance.randrange(1, 6))
            case 1:
                del changed[at : at + chance.randrange(1, 4)]
            case 2:
                changed[at : at + 1] = chance.randbytes(1)
            case _:
                changed += changed[: chance.randrange(1, 30)]
    return bytes(changed)


async def test_mutated_messages_are_answered_by_a_status_of_the_contract(client: Client):
    chance = random.Random(11)
    make = Producer()
    known = inputs()
    assert known.keys() == {path for path, _, _ in contract_methods()}
    seeds = {
        path: [known[path]().SerializeToString(), make.open.SerializeToString()] for path in known
    }
    batch = event_service_pb2.PublishEventBatchRequest(
        stream=make.open, first_sequence=1, events=[make.started(), *make.run("a")]
    )
    seeds["/stardag.v1.EventService/PublishEventBatch"].append(batch.SerializeToString())
    strange = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
    for path, request_streams, response_streams in contract_methods():
        if request_streams or response_streams:
            continue
        for _ in range(25):
            data = mutated(chance, chance.choice(seeds[path]))
            channel: Any = client.channel
            try:
                await channel.unary_unary(path)(data, metadata=client.metadata, timeout=20)
            except grpc.aio.AioRpcError as error:
                assert error.code() not in strange, (path, data, error.details())
    await served(client)


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_idle_connections_leave_room_for_a_good_client(
    server: ServerProcess, client: Client, count: int
):
    before = memory(server)
    with contextlib.ExitStack() as stack:
        for number in range(count):
            connection = socket.create_connection(
                ("127.0.0.1", server.port),
                timeout=10,
                source_address=(f"127.0.0.{2 + number % 8}", 0),
            )
            stack.enter_context(connection).sendall(PREFACE + SETTINGS)
        await served(client)
        assert memory(server) - before < 50 + count * 0.02
    await served(client)


async def test_who_pings_too_often_is_told_to_calm_down(server: ServerProcess, client: Client):
    def ping() -> bytes:
        with connect(server) as connection:
            connection.sendall(PREFACE + SETTINGS + _frame(6, 0, bytes(8), stream=0) * 5)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while more := connection.recv(1_000):
                    answer += more
            return answer

    enhance_your_calm = struct.pack(">I", 11)
    assert enhance_your_calm + b"too_many_pings" in await asyncio.to_thread(ping)
    await served(client)


async def test_connections_that_never_begin_are_closed(server: ServerProcess, client: Client):
    def silent() -> bytes:
        with connect(server) as connection:
            connection.settimeout(15)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while more := connection.recv(1_000):
                    answer += more
            return answer

    async with asyncio.timeout(15):
        await asyncio.to_thread(silent)
    await served(client)
