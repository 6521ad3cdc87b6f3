"""A build asked to stop, over a real socket: the request, and who hears of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import sqlalchemy as sa
from producer import Producer
from running_server import Client, Refused, running

from stardag.v1 import event_pb2 as pb
from stardag.v1.build_pb2 import (
    BUILD_STATUS_ABANDONED,
    BUILD_STATUS_CANCELLED,
    BUILD_STATUS_RUNNING,
    Build,
)
from stardag.v1.build_service_pb2 import CancelBuildRequest, GetBuildRequest
from stardag.v1.event_service_pb2 import (
    WATCH_MODE_EVENTS,
    CancelNotice,
    PublishEventBatchRequest,
    PublishEventsRequest,
    WatchBuildRequest,
)

SOON = 10


@pytest.fixture
async def replica(database_url: sa.URL, tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a second server on the same database as `client`."""
    async with running(database_url, tmp_path / "replica") as server, server.client() as client:
        yield client


async def cancel(client: Client, make: Producer, reason: str = "no need") -> Build:
    request = CancelBuildRequest(build_id=make.build_id, reason=reason)
    return (await client.builds.CancelBuild(request, metadata=client.metadata)).build


async def log(client: Client, make: Producer) -> list[pb.Event]:
    """Return the log of a build that has ended."""
    request = WatchBuildRequest(build_id=make.build_id, mode=WATCH_MODE_EVENTS)
    call = client.events.WatchBuild(request, metadata=client.metadata)
    return [event async for response in call for event in response.events]


async def stream(client: Client, make: Producer, *events: pb.NewEvent) -> Any:
    """Open the producer's stream with these events, the first of it."""
    call = client.events.PublishEvents(metadata=client.metadata)
    await call.write(PublishEventsRequest(open=make.open, first_sequence=1, events=events))
    assert (await call.read()).HasField("opened")
    return call


async def notice(call: Any) -> CancelNotice:
    async with asyncio.timeout(SOON):
        while not (response := await call.read()).HasField("cancel"):
            assert response is not grpc.aio.EOF
    return response.cancel


async def batch(client: Client, make: Producer, *events: pb.NewEvent, first: int = 1) -> Any:
    request = PublishEventBatchRequest(stream=make.open, first_sequence=first, events=events)
    return await client.events.PublishEventBatch(request, metadata=client.metadata)


async def test_a_request_is_an_event_of_the_log_and_ends_nothing(client: Client):
    make = Producer()
    await client.publish(make.open, [make.started(), *make.run("a")])
    build = await cancel(client, make, "too dear")
    assert (build.status, build.cancel_reason) == (BUILD_STATUS_RUNNING, "too dear")
    assert build.HasField("cancel_time") and not build.reason
    assert build.completeness.recorded_events == 5
    ended = make.event(pb.EVENT_TYPE_BUILD_CANCELLED, build_end=pb.BuildEnd(reason="as asked"))
    await client.publish(make.open, [ended], 5)
    event = (await log(client, make))[4]
    assert (event.type, event.position, event.sequence, event.stream_id) == (
        pb.EVENT_TYPE_BUILD_CANCEL_REQUESTED,
        5,
        0,
        str(make.stream),
    )
    assert event.build_end.reason == "too dear"
    assert event.commit_time == event.event_time == build.cancel_time
    after = (
        await client.builds.GetBuild(
            GetBuildRequest(build_id=make.build_id), metadata=client.metadata
        )
    ).build
    assert (after.status, after.reason) == (BUILD_STATUS_CANCELLED, "as asked")
    assert (after.cancel_time, after.cancel_reason) == (build.cancel_time, "too dear")


async def test_asked_again_it_is_as_it_was(client: Client):
    make = Producer()
    await client.publish(make.open, [make.started()])
    builds = await asyncio.gather(*(cancel(client, make, f"reason {n}") for n in range(5)))
    assert len({build.cancel_reason for build in builds}) == 1
    assert await cancel(client, make, "later") == builds[0]
    assert builds[0].completeness.recorded_events == 2


async def test_what_has_ended_is_left_as_it_is(client: Client):
    make = Producer()
    await client.publish(make.open, [make.started(), make.completed()])
    build = await cancel(client, make)
    assert not build.HasField("cancel_time") and build.completeness.recorded_events == 2


async def test_to_ask_is_no_sign_of_life(client: Client):
    make = Producer()
    await client.publish(make.open, [make.started(), make.event(pb.EVENT_TYPE_PRODUCER_DIED)])
    build = await cancel(client, make)
    assert build.status == BUILD_STATUS_ABANDONED and build.HasField("cancel_time")
    # Its producer lives after all, and hears of it.
    response = await batch(client, make, *make.run("a"), first=3)
    assert [each.build_id for each in response.cancels] == [make.build_id]


async def test_a_build_that_nobody_has_started_yet_can_be_asked(client: Client):
    make = Producer()
    first = await batch(client, make, make.pending("a"))
    build = await cancel(client, make)
    assert build.HasField("cancel_time") and not first.cancels
    started = await batch(client, make, make.started(), first=2)
    assert [each.build_id for each in started.cancels] == [make.build_id]


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"build_id": str(uuid4())}, grpc.StatusCode.NOT_FOUND, "BUILD_NOT_FOUND"),
        ({"build_id": "mine"}, grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"),
        ({"reason": "x" * 4_097}, grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"),
    ],
)
async def test_what_can_not_be_asked_is_refused(
    client: Client, fields: dict[str, str], code: grpc.StatusCode, reason: str
):
    make = Producer()
    await client.publish(make.open, [make.started()])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.builds.CancelBuild(
            CancelBuildRequest(**{"build_id": make.build_id, **fields}), metadata=client.metadata
        )
    refused = Refused.of(caught.value)
    assert (refused.code, refused.reason) == (code, reason)
    build = await cancel(client, make)
    assert build.completeness.recorded_events == 2, "the refused one wrote nothing"


async def test_an_open_stream_is_told_once_and_after_each_reconnect(client: Client):
    make = Producer()
    call = await stream(client, make, make.started())
    await call.read()
    await cancel(client, make, "stop it")
    expected = CancelNotice(build_id=make.build_id, reason="stop it")
    assert await notice(call) == expected
    await call.write(PublishEventsRequest(first_sequence=2, events=make.run("a")))
    assert (await call.read()).ack.committed_sequence == 4
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    again = client.events.PublishEvents(metadata=client.metadata)
    await again.write(PublishEventsRequest(open=make.open))
    assert await notice(again) == expected
    ended = make.event(pb.EVENT_TYPE_BUILD_CANCELLED)
    await again.write(PublishEventsRequest(first_sequence=5, events=[ended]))
    assert (await again.read()).ack.committed_sequence == 5
    await again.done_writing()
    assert await again.read() is grpc.aio.EOF
    assert not (await batch(client, make)).cancels


async def test_only_the_stream_that_started_the_build_is_told(client: Client):
    make, other = Producer(), Producer()
    owner, helper = await stream(client, make, make.started()), Producer(build=make.build)
    bystander = await stream(client, other, other.started())
    beside = await stream(client, helper, helper.pending("a"))
    await owner.read()
    await cancel(client, make)
    await notice(owner)
    for call in (bystander, beside):
        await call.done_writing()
        while (response := await call.read()) is not grpc.aio.EOF:
            assert not response.HasField("cancel")


async def test_a_stream_at_another_replica_is_told(client: Client, replica: Client):
    make = Producer()
    call = await stream(client, make, make.started())
    await call.read()
    await cancel(replica, make, "from there")
    assert (await notice(call)).reason == "from there"


async def test_a_client_without_streams_hears_with_its_next_batch(client: Client):
    make = Producer()
    assert not (await batch(client, make, make.started())).cancels
    await cancel(client, make, "stop")
    expected = [CancelNotice(build_id=make.build_id, reason="stop")]
    assert list((await batch(client, make, *make.run("a"), first=2)).cancels) == expected
    assert list((await batch(client, make)).cancels) == expected


async def test_a_producer_can_not_write_a_request(client: Client):
    make = Producer()
    events = [make.started(), make.event(pb.EVENT_TYPE_BUILD_CANCEL_REQUESTED)]
    ack = await client.publish(make.open, events)
    assert ack.rejected_count == 1 and "CancelBuild" in ack.rejections[0].message
