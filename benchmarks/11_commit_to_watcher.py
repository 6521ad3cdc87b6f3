"""How long after its commit a change reaches 1,000 watchers of one build, on SQLite.

One event every two seconds is published to a server of its own; a process with 1,000 watches on ten
channels notes when each response comes. The clock runs from the build's `update_time`, which is the
commit's, read when its transaction begins: so the commit itself is counted. The floor is a bare
`grpc.aio` server that writes as many bytes to as many calls, with the same process reading them.

It alone is above the reach, as one thread writes to one call after the other, 36 us each. What
comes on top is the commit and the read of what changed, 3 ms, and 3 us a watcher.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import grpc
from figures import Figure, report
from ingest_load import Server, build_events, publish_events, serving, stream_requests

from stardag.v1.event_service_pb2 import WatchBuildRequest, WatchBuildResponse

WATCHERS = 1_000
QUICK_WATCHERS = 100
CHANGES = 10
CHANNELS = 10
INTERVAL = 2.0
METHOD = "/stardag.v1.EventService/WatchBuild"
REACH = {"p50": 5.0, "p99": 25.0}


def commit_time(response: WatchBuildResponse) -> float:
    moment = response.build.update_time
    return moment.seconds + moment.nanos / 1e9


async def follow(address: str, token: str, build: str, watchers: int) -> None:
    """Watch, say when all have begun, and print the seconds that every response took."""
    channels = [
        grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        for _ in range(CHANNELS)
    ]
    took: list[float] = []
    begun = asyncio.Semaphore(0)
    metadata = (("authorization", f"Bearer {token}"),)

    async def one(channel: grpc.aio.Channel) -> None:
        method = cast(Any, channel).unary_stream(
            METHOD, WatchBuildRequest.SerializeToString, WatchBuildResponse.FromString
        )
        call = method(WatchBuildRequest(build_id=build), metadata=metadata)
        await call.read()
        begun.release()
        for _ in range(CHANGES):
            response = await call.read()
            while response.heartbeat:
                response = await call.read()
            took.append(time.time() - commit_time(response))
        call.cancel()

    watching = [asyncio.create_task(one(channels[n % CHANNELS])) for n in range(watchers)]
    for _ in watching:
        await begun.acquire()
    print("begun", flush=True)
    await asyncio.gather(*watching)
    print(json.dumps(took))


async def followed(server: Server, build: str, watchers: int, change: Any) -> list[float]:
    """Make the changes while another process watches; return what that noted."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "follow", server.address, server.token, build, str(watchers)),
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    assert process.stdout
    await process.stdout.readline()
    for _ in range(CHANGES):
        await asyncio.sleep(INTERVAL)
        await change()
    took: list[float] = json.loads(await process.stdout.readline())
    await process.wait()
    return took


async def measure(server: Server, watchers: int) -> list[float]:
    id = uuid4()
    opening, *ready = stream_requests([*build_events(id, CHANGES)], uuid4(), batch=1)
    waiting: asyncio.Queue[bytes] = asyncio.Queue()

    async def requests() -> AsyncIterator[bytes]:
        while True:
            yield await waiting.get()

    async with grpc.aio.insecure_channel(server.address) as channel:
        call = publish_events(channel, server.token, requests())
        waiting.put_nowait(opening)
        await call.read()
        left = iter(ready)

        async def change() -> None:
            waiting.put_nowait(next(left))
            await call.read()

        await change()
        took = await followed(server, str(id), watchers, change)
        call.cancel()
    return took


async def measure_floor(watchers: int) -> list[float]:
    queues: list[asyncio.Queue[bytes]] = []

    async def watch(_request: bytes, _context: object) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queues.append(queue)
        yield message()
        while True:
            yield await queue.get()

    def message() -> bytes:
        response = WatchBuildResponse(cursor="c" * 32)
        response.build.build_id = str(uuid4())
        response.build.name = "n" * 200
        response.build.update_time.FromNanoseconds(time.time_ns())
        return response.SerializeToString()

    async def change() -> None:
        one = message()
        for queue in queues:
            queue.put_nowait(one)

    server = grpc.aio.server()
    service, name = METHOD[1:].split("/")
    handlers: dict[str, Any] = {name: grpc.unary_stream_rpc_method_handler(cast(Any, watch))}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    took = await followed(Server(f"127.0.0.1:{port}", ""), "", watchers, change)
    await server.stop(0)
    return took


def main() -> None:
    if sys.argv[1:2] == ["follow"]:
        address, token, build, watchers = sys.argv[2:]
        asyncio.run(follow(address, token, build, int(watchers)))
        return
    folder = Path(tempfile.mkdtemp(prefix="stardag-bench-"))
    watchers = QUICK_WATCHERS if "--quick" in sys.argv else WATCHERS
    try:
        with serving(folder) as server:
            took = asyncio.run(measure(server, watchers))
        floor = asyncio.run(measure_floor(watchers))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found: list[Figure] = []
    for label, percent in (("p50", 50), ("p99", 99)):
        value, bare = (
            statistics.quantiles(each, n=100)[percent - 1] * 1_000 for each in (took, floor)
        )
        found.append(
            Figure(
                figure=f"commit to {watchers:,} watchers, {label}",
                value=value,
                unit="ms",
                floor=bare,
                ratio=value / bare,
                reach=f"<= {REACH[label]:g} ms",
                holds=value <= REACH[label],
            )
        )
    report(found)


if __name__ == "__main__":
    main()
