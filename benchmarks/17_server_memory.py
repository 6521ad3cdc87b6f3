"""Memory of a server process: idle, after full ingest, with 1,000 watchers, with idle connections.

Each is the resident memory of one server on SQLite, beside what it had when idle. The database is
there when it starts: a server that makes it has loaded Alembic, which is 11 MB more until the next
start. Events are sent as in `ingest_load`, three times; the slope is what the third time added.
Watchers and connections are held by a process of their own.

Of what is idle SQLAlchemy takes 21 MB, grpc 13, and Pydantic, which comes with the contract's
package, 6. Of what ingest adds 33 MB are SQLite's cache of pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import psutil
from figures import Figure, at_most, report
from ingest_load import STREAMS, Server, build_events, publish_seconds, serving

from stardag.v1.event_service_pb2 import (
    OpenEventStream,
    PublishEventBatchRequest,
    WatchBuildRequest,
)
from stardag.v1.event_service_pb2_grpc import EventServiceStub

BUILDS = 5 * STREAMS
WATCHERS = 1_000
CONNECTIONS = 10_000
REACH_MB = {"idle": 100, "ingest": 100, "watchers": 50, "connections": 200, "slope": 10}


def megabytes(process: psutil.Process) -> float:
    """Return the resident memory of the process once it has settled."""
    time.sleep(1)
    return process.memory_info().rss / 1e6


@contextlib.contextmanager
def held(what: str, server: Server, count: int) -> Generator[None]:
    """Have another process hold so many watchers or connections during the block."""
    command = [sys.executable, __file__, what, server.address, server.token, str(count)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdin and holder.stdout
    if holder.stdout.readline() != "holding\n":
        raise RuntimeError(f"{count} {what} could not be held")
    yield
    holder.stdin.close()
    holder.wait()
    holder.stdout.close()


async def hold_watchers(server: Server, count: int) -> None:
    """Watch one build that runs, over ten channels."""
    metadata = (("authorization", f"Bearer {server.token}"),)
    channels = [grpc.aio.insecure_channel(server.address, [("n", n)]) for n in range(10)]
    stubs: list[Any] = [EventServiceStub(channel) for channel in channels]
    build = uuid4()
    started = next(build_events(build, 0))
    stream = OpenEventStream(stream_id=str(uuid4()), client="bench")
    request = PublishEventBatchRequest(stream=stream, first_sequence=1, events=[started])
    await stubs[0].PublishEventBatch(request, metadata=metadata)
    calls: list[Any] = []
    for number in range(count):
        watch = WatchBuildRequest(build_id=str(build))
        call = stubs[number % len(stubs)].WatchBuild(watch, metadata=metadata)
        await call.read()
        calls.append(call)
    await until_told()


async def until_told() -> None:
    print("holding", flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def hold_connections(server: Server, count: int) -> None:
    limit = min(count + 1_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    host, port = server.address.rsplit(":", 1)
    connections: list[socket.socket] = []
    for number in range(count):
        # One address has fewer ports than that.
        source = (f"127.0.0.{2 + number % 8}", 0)
        connection = socket.create_connection((host, int(port)), source_address=source)
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        connections.append(connection)
    await until_told()


def measure(folder: Path, quick: bool) -> list[Figure]:
    scale = 10 if quick else 1
    with serving(folder):
        pass
    with serving(folder) as server:
        process = psutil.Process(server.pid)
        idle = megabytes(process)
        ingest: list[float] = []
        for _ in range(3):
            publish_seconds(server, BUILDS // (5 if quick else 1))
            ingest.append(megabytes(process))
        with held("watchers", server, WATCHERS // scale):
            watchers = megabytes(process)
        let_go = megabytes(process)
        with held("connections", server, CONNECTIONS // scale):
            connections = megabytes(process)
    added = {
        "idle": idle,
        "ingest": ingest[1] - idle,
        "slope": ingest[2] - ingest[1],
        "watchers": watchers - ingest[2],
        "connections": connections - let_go,
    }
    said = {
        "idle": "server memory, idle",
        "ingest": "server memory, added by full ingest",
        "slope": "server memory, added by as much ingest again",
        "watchers": f"server memory, added by {WATCHERS // scale:,} watchers",
        "connections": f"server memory, added by {CONNECTIONS // scale:,} idle connections",
    }
    return [at_most(said[what], value, "MB", REACH_MB[what]) for what, value in added.items()]


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="stardag-bench-"))
    try:
        report(measure(folder, "--quick" in sys.argv))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] in (["watchers"], ["connections"]):
        what, address, token, count = sys.argv[1:]
        hold = hold_watchers if what == "watchers" else hold_connections
        asyncio.run(hold(Server(address, token, 0), int(count)))
    else:
        main()
