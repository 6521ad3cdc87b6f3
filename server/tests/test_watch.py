"""Watching over a real socket: nothing missed, whoever writes and whatever restarts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf.duration_pb2 import Duration
from producer import Producer, task_id
from running_server import Client, Refused, running

from stardag.v1 import event_pb2 as pb
from stardag.v1.build_pb2 import BUILD_STATUS_COMPLETED, BUILD_STATUS_RUNNING
from stardag.v1.event_service_pb2 import (
    WATCH_MODE_EVENTS,
    WATCH_MODE_STATE,
    WatchBuildRequest,
    WatchBuildResponse,
)
from stardag.v1.task_pb2 import TASK_STATUS_CANCELLED, TASK_STATUS_COMPLETED

MODES = [WATCH_MODE_STATE, WATCH_MODE_EVENTS]


@pytest.fixture
def make() -> Producer:
    return Producer()


def watch(client: Client, **request: Any) -> AsyncIterator[WatchBuildResponse]:
    return client.events.WatchBuild(WatchBuildRequest(**request), metadata=client.metadata)


async def watched(client: Client, **request: Any) -> list[WatchBuildResponse]:
    """Watch until the call ends."""
    return [response async for response in watch(client, **request)]


async def test_an_ended_build_is_its_snapshot_and_the_end(client: Client, make: Producer):
    events = [make.started(), *make.run("a"), *make.run("b"), make.completed()]
    await client.publish(make.open, events)
    [response] = await watched(client, build_id=make.build_id)
    assert response.snapshot_complete
    assert response.build.status == BUILD_STATUS_COMPLETED
    assert [state.task_id for state in response.task_states] == [
        str(task_id("a")),
        str(task_id("b")),
    ]
    assert response.server_time.seconds


async def test_a_rejected_event_is_watched_with_its_reason(client: Client):
    make = Producer()
    senseless = make.event(pb.EVENT_TYPE_TASK_STARTED, "t", attempt=0)
    await client.publish(make.open, [make.started(), senseless, make.completed()])
    responses = await watched(client, build_id=make.build_id, mode=WATCH_MODE_EVENTS)
    (rejected,) = [e for response in responses for e in response.events if e.rejection]
    assert rejected.rejection == pb.EVENT_REJECTION_REASON_EVENT_INVALID
    assert rejected.rejection_message == "attempt is not set"


async def test_every_event_is_delivered_in_order(client: Client, make: Producer):
    events = [make.started(), *(event for n in range(1_200) for event in make.run(str(n)))]
    events.append(make.completed())
    await client.publish(make.open, events)
    responses = await watched(client, build_id=make.build_id, mode=WATCH_MODE_EVENTS)
    positions = [event.position for response in responses for event in response.events]
    assert positions == [*range(1, len(events) + 1)]
    assert all(len(response.events) <= 1_000 for response in responses)
    assert responses[0].HasField("build") and not responses[1].HasField("build")


async def test_a_large_snapshot_comes_in_pages(client: Client, make: Producer):
    events = [make.pending(str(number)) for number in range(2_500)]
    await client.publish(make.open, [make.started(), *events, make.completed()])
    responses = await watched(client, build_id=make.build_id)
    assert [len(response.task_states) for response in responses] == [1_000, 1_000, 500]
    assert [response.snapshot_complete for response in responses] == [False, False, True]
    resumed = await watched(client, build_id=make.build_id, cursor=responses[0].cursor)
    assert [len(response.task_states) for response in resumed] == [1_000, 500]


async def test_large_states_come_in_parts_that_fit_a_message(client: Client, make: Producer):
    for number in range(0, 120, 20):
        events = [
            make.event(
                pb.EVENT_TYPE_TASK_FAILED,
                str(number + offset),
                1,
                failure={"stack_trace": "s" * 32_000},
            )
            for offset in range(20)
        ]
        await client.publish(make.open, events, first=number + 1)
    await client.publish(make.open, [make.completed()], first=121)
    for mode in MODES:
        responses = await watched(client, build_id=make.build_id, mode=mode)
        assert max(response.ByteSize() for response in responses) < 1 << 20
        assert sum(len(r.task_states) + len(r.events) for r in responses) >= 120


async def test_an_empty_build_has_an_empty_snapshot(client: Client, make: Producer):
    await client.publish(make.open, [make.started(), make.completed()])
    [response] = await watched(client, build_id=make.build_id)
    assert response.snapshot_complete and not response.task_states
    assert response.HasField("build")


async def test_changes_follow_the_snapshot_as_they_are_committed(client: Client, make: Producer):
    await client.publish(make.open, [make.started(), make.pending("t")])
    responses = aiter(watch(client, build_id=make.build_id))
    first = await anext(responses)
    assert first.snapshot_complete and first.build.status == BUILD_STATUS_RUNNING
    await client.publish(make.open, make.run("t")[1:], first=3)
    second = await anext(responses)
    assert [state.status for state in second.task_states] == [TASK_STATUS_COMPLETED]
    await client.publish(make.open, [make.completed()], first=5)
    third = await anext(responses)
    assert third.build.status == BUILD_STATUS_COMPLETED
    assert await anext(responses, None) is None


async def test_tasks_that_a_producers_death_ended_are_changes(client: Client, make: Producer):
    start = make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1)
    await client.publish(make.open, [make.started(), start])
    responses = aiter(watch(client, build_id=make.build_id))
    await anext(responses)
    await client.publish(make.open, [make.event(pb.EVENT_TYPE_PRODUCER_DIED)], first=3)
    change = await anext(responses)
    assert [state.status for state in change.task_states] == [TASK_STATUS_CANCELLED]
    assert await anext(responses, None) is None


@pytest.mark.parametrize("mode", MODES)
async def test_a_cursor_survives_a_restart_of_the_server(
    database_url: sa.URL, tmp_path: Path, make: Producer, mode: int
):
    async with running(database_url, tmp_path / "data") as server, server.client() as client:
        await client.publish(make.open, [make.started(), *make.run("a")])
        responses = aiter(watch(client, build_id=make.build_id, mode=mode))
        cursor = (await anext(responses)).cursor
    async with running(database_url, tmp_path / "data") as server, server.client() as client:
        await client.publish(make.open, [*make.run("b"), make.completed()], first=5)
        after = await watched(client, build_id=make.build_id, mode=mode, cursor=cursor)
    assert after[0].HasField("build")
    if mode == WATCH_MODE_EVENTS:
        assert [event.sequence for r in after for event in r.events] == [5, 6, 7, 8]
    else:
        assert {state.task_id for r in after for state in r.task_states} == {str(task_id("b"))}


async def test_a_cursor_at_the_end_gets_the_build_and_the_end(client: Client, make: Producer):
    await client.publish(make.open, [make.started(), make.completed()])
    [response] = await watched(client, build_id=make.build_id)
    [again] = await watched(client, build_id=make.build_id, cursor=response.cursor)
    assert again.HasField("build") and not again.task_states


@pytest.mark.parametrize("mode", MODES)
async def test_two_servers_write_and_a_watcher_of_either_misses_nothing(
    database_url: sa.URL, tmp_path: Path, mode: int
):
    build = uuid4()
    owner = Producer(build=build)
    workers = [Producer(build=build) for _ in range(4)]
    tasks = 12
    async with (
        running(database_url, tmp_path / "one") as one,
        running(database_url, tmp_path / "two") as two,
        one.client() as here,
        two.client() as there,
    ):
        await here.publish(owner.open, [owner.started()])

        async def write(number: int, worker: Producer) -> None:
            client = (here, there)[number % 2]
            for task in range(tasks):
                events = worker.run(f"{number}-{task}")
                await client.publish(worker.open, events, first=3 * task + 1)

        async def follow(client: Client) -> list[WatchBuildResponse]:
            return await watched(client, build_id=str(build), mode=mode)

        followers = [asyncio.create_task(follow(client)) for client in (here, there)]
        await asyncio.gather(*(write(*pair) for pair in enumerate(workers)))
        await there.publish(owner.open, [owner.completed()], first=2)
        for responses in await asyncio.gather(*followers):
            if mode == WATCH_MODE_EVENTS:
                positions = [event.position for r in responses for event in r.events]
                assert positions == [*range(1, 4 * tasks * 3 + 3)]
            latest = {state.task_id: state.status for r in responses for state in r.task_states}
            if mode == WATCH_MODE_STATE:
                assert len(latest) == 4 * tasks
                assert set(latest.values()) == {TASK_STATUS_COMPLETED}


async def test_silence_is_broken_by_heartbeats_with_a_cursor(client: Client, make: Producer):
    await client.publish(make.open, [make.started()])
    interval = Duration(nanos=1)
    responses = aiter(watch(client, build_id=make.build_id, heartbeat_interval=interval))
    first = await anext(responses)
    beat = await anext(responses)
    assert beat.heartbeat and beat.cursor == first.cursor and not beat.HasField("build")


async def refused_watch(client: Client, **request: Any) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watched(client, **request)
    return Refused.of(caught.value)


async def test_a_cursor_of_something_else_is_refused(client: Client, make: Producer):
    other = Producer()
    for producer in (make, other):
        await client.publish(producer.open, [producer.started(), producer.completed()])
    [response] = await watched(client, build_id=make.build_id)
    for request in (
        {"build_id": make.build_id, "cursor": "nonsense"},
        {"build_id": other.build_id, "cursor": response.cursor},
        {"build_id": make.build_id, "cursor": response.cursor, "mode": WATCH_MODE_EVENTS},
    ):
        refused = await refused_watch(client, **request)
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "CURSOR_INVALID",
        )


async def test_an_unknown_build_is_not_found(client: Client):
    id = str(uuid4())
    refused = await refused_watch(client, build_id=id)
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "BUILD_NOT_FOUND")
    assert refused.metadata == {"buildId": id}


async def test_a_draining_server_ends_its_watches(
    database_url: sa.URL, tmp_path: Path, make: Producer
):
    async with running(database_url, tmp_path / "data") as server:
        channel = grpc.aio.insecure_channel(server.address)
        client = Client(channel, server.metadata)
        await client.publish(make.open, [make.started()])
        responses = aiter(watch(client, build_id=make.build_id))
        await anext(responses)
        following = asyncio.ensure_future(anext(responses, None))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await following
    refused = Refused.of(caught.value)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
    await channel.close()
