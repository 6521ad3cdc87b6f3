"""Publishing over a real socket: numbering, acknowledgements, and how a stream ends."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import sqlalchemy as sa
from producer import Producer
from running_server import Client, Refused, RunningServer, running

from stardag.v1 import event_pb2 as pb
from stardag.v1.build_service_pb2 import GetBuildRequest
from stardag.v1.event_service_pb2 import (
    OpenEventStream,
    PublishEventBatchRequest,
    PublishEventsRequest,
)


@pytest.fixture
def make() -> Producer:
    return Producer()


async def open_stream(client: Client, make: Producer) -> Any:
    call = client.events.PublishEvents(metadata=client.metadata)
    await call.write(PublishEventsRequest(open=make.open))
    return call


async def opened(client: Client, make: Producer) -> tuple[Any, int]:
    call = await open_stream(client, make)
    response = await call.read()
    return call, response.opened.committed_sequence


async def refusal_of(call: Any) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while await call.read() is not grpc.aio.EOF:
            pass
    return Refused.of(caught.value)


async def acked_up_to(call: Any, sequence: int) -> list[pb.EventRejection]:
    """Read acknowledgements until this one."""
    rejections: list[pb.EventRejection] = []
    while True:
        response = await call.read()
        assert response is not grpc.aio.EOF
        rejections += response.ack.rejections
        if response.ack.committed_sequence >= sequence:
            assert response.ack.committed_sequence == sequence
            return rejections


async def test_batches_are_pipelined_acknowledged_and_then_the_stream_ends(
    client: Client, make: Producer
):
    call, committed = await opened(client, make)
    assert committed == 0
    events = [make.started(), *make.run("a"), *make.run("b"), make.completed()]
    for begin in range(0, len(events), 3):
        await call.write(
            PublishEventsRequest(first_sequence=begin + 1, events=events[begin : begin + 3])
        )
    await call.done_writing()
    await acked_up_to(call, len(events))
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK
    response = await client.builds.GetBuild(
        GetBuildRequest(build_id=make.build_id), metadata=client.metadata
    )
    assert response.build.completeness.recorded_events == len(events)


async def test_events_may_come_with_the_opening(client: Client, make: Producer):
    request = PublishEventsRequest(open=make.open, first_sequence=1, events=[make.started()])
    responses = [
        response
        async for response in client.events.PublishEvents(_once(request), metadata=client.metadata)
    ]
    assert [response.WhichOneof("message") for response in responses] == ["opened", "ack"]
    limits = responses[0].opened
    assert (limits.max_batch_events, limits.max_batch_bytes) == (10_000, 1 << 20)
    assert limits.max_unacked_events and limits.heartbeat_interval.seconds
    assert responses[1].ack.committed_sequence == 1


async def _once(request: PublishEventsRequest) -> AsyncIterator[PublishEventsRequest]:
    yield request


async def test_a_stream_goes_on_where_it_was(client: Client, make: Producer):
    events = [make.started(), *make.run("a")]
    call, _ = await opened(client, make)
    await call.write(PublishEventsRequest(first_sequence=1, events=events[:2]))
    await acked_up_to(call, 2)
    call.cancel()
    call, committed = await opened(client, make)
    assert committed == 2
    await call.write(PublishEventsRequest(first_sequence=2, events=events[1:]))
    await acked_up_to(call, 4)
    call.cancel()


async def test_rejections_are_listed_up_to_a_hundred_and_counted(client: Client, make: Producer):
    bad = [make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 0) for _ in range(150)]
    ack = await client.publish(make.open, [make.started(), *bad])
    assert (ack.committed_sequence, len(ack.rejections), ack.rejected_count) == (151, 100, 150)
    assert ack.rejections[0].sequence == 2


async def test_a_gap_ends_the_stream_after_what_was_before_it(client: Client, make: Producer):
    call, _ = await opened(client, make)
    await call.write(PublishEventsRequest(first_sequence=1, events=[make.started()]))
    await call.write(PublishEventsRequest(first_sequence=3, events=[make.completed()]))
    await acked_up_to(call, 1)
    refused = await refusal_of(call)
    assert (refused.code, refused.reason) == (grpc.StatusCode.OUT_OF_RANGE, "SEQUENCE_GAP")
    assert refused.metadata == {"expectedSequence": "2", "receivedSequence": "3"}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (PublishEventsRequest(open=OpenEventStream(stream_id="x")), "open.stream_id"),
        (
            PublishEventsRequest(open=OpenEventStream(stream_id=str(uuid4()), host="h" * 256)),
            "open.host",
        ),
        (
            PublishEventsRequest(
                open=OpenEventStream(stream_id=str(uuid4())), events=[pb.NewEvent()]
            ),
            "first_sequence",
        ),
    ],
)
async def test_a_bad_field_is_named(client: Client, request_: PublishEventsRequest, field: str):
    call = client.events.PublishEvents(_once(request_), metadata=client.metadata)
    refused = await refusal_of(call)
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_INVALID",
    )
    assert refused.fields == [field]


async def test_messages_at_the_wrong_place_end_the_stream(client: Client, make: Producer):
    call = client.events.PublishEvents(
        _once(PublishEventsRequest(first_sequence=1)), metadata=client.metadata
    )
    assert (await refusal_of(call)).reason == "STREAM_PROTOCOL"
    call, _ = await opened(client, make)
    await call.write(PublishEventsRequest(open=make.open))
    refused = await refusal_of(call)
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "STREAM_PROTOCOL",
    )


async def test_too_large_a_batch_is_refused(client: Client, make: Producer):
    event = make.event(pb.EVENT_TYPE_TASK_STARTED, "t", 1)
    request = PublishEventBatchRequest(stream=make.open, first_sequence=1, events=[event] * 10_001)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.events.PublishEventBatch(request, metadata=client.metadata)
    refused = Refused.of(caught.value)
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "MESSAGE_TOO_LARGE",
    )
    assert refused.metadata == {"limit": "10000", "actual": "10001"}
    assert refused.retry_seconds is None


async def test_a_stream_opened_twice_belongs_to_the_newer_connection(
    client: Client, make: Producer
):
    older, _ = await opened(client, make)
    await older.write(PublishEventsRequest(first_sequence=1, events=[make.started()]))
    await acked_up_to(older, 1)
    newer, committed = await opened(client, make)
    assert committed == 1
    refused = await refusal_of(older)
    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "STREAM_SUPERSEDED")
    assert refused.metadata == {"streamId": str(make.stream)}
    await newer.write(PublishEventsRequest(first_sequence=2, events=[make.completed()]))
    await acked_up_to(newer, 2)
    newer.cancel()


async def test_a_stream_opened_at_another_replica_is_superseded_too(
    server: RunningServer, client: Client, make: Producer, database_url: sa.URL, tmp_path: Path
):
    older, _ = await opened(client, make)
    async with running(database_url, tmp_path / "other") as other, other.client() as elsewhere:
        newer, _ = await opened(elsewhere, make)
        await older.write(PublishEventsRequest(first_sequence=1, events=[make.started()]))
        assert (await refusal_of(older)).reason == "STREAM_SUPERSEDED"
        newer.cancel()


async def test_one_batch_in_one_call_follows_the_same_rules(client: Client, make: Producer):
    events = [make.started(), *make.run("a")]
    assert (await client.publish(make.open, [])).committed_sequence == 0
    assert (await client.publish(make.open, events[:3])).committed_sequence == 3
    assert (await client.publish(make.open, events[1:], first=2)).committed_sequence == 4
    assert (await client.publish(make.open, [])).committed_sequence == 4
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.publish(make.open, [make.completed()], first=9)
    assert Refused.of(caught.value).metadata["expectedSequence"] == "5"


async def test_a_sign_of_life_is_no_event(client: Client, make: Producer):
    call, _ = await opened(client, make)
    await call.write(PublishEventsRequest())
    await call.write(PublishEventsRequest(first_sequence=1, events=[make.started()]))
    await acked_up_to(call, 1)
    await call.done_writing()
    while await call.read() is not grpc.aio.EOF:
        pass
    assert await call.code() == grpc.StatusCode.OK


async def test_many_streams_of_many_builds_share_commits_and_lose_nothing(
    client: Client, make: Producer
):
    shared = uuid4()
    producers = [Producer(build=shared) for _ in range(8)]

    async def publish(number: int, producer: Producer) -> None:
        call, _ = await opened(client, producer)
        events = [event for task in range(30) for event in producer.run(f"{number}-{task}")]
        for begin in range(0, len(events), 7):
            batch = events[begin : begin + 7]
            await call.write(PublishEventsRequest(first_sequence=begin + 1, events=batch))
        await call.done_writing()
        await acked_up_to(call, len(events))

    await asyncio.gather(*(publish(*pair) for pair in enumerate(producers)))
    response = await client.builds.GetBuild(
        GetBuildRequest(build_id=str(shared)), metadata=client.metadata
    )
    assert response.build.completeness.recorded_events == 8 * 90
    assert [count.count for count in response.build.task_counts] == [8 * 30]


async def test_a_draining_server_acknowledges_what_it_took_and_says_so(
    database_url: sa.URL, tmp_path: Path, make: Producer
):
    ended = asyncio.Event()

    async def watch_end(call: Any) -> Refused:
        await acked_up_to(call, 1)
        ended.set()
        return await refusal_of(call)

    async with running(database_url, tmp_path / "data") as server:
        channel = grpc.aio.insecure_channel(server.address)
        client = Client(channel, server.metadata)
        call, _ = await opened(client, make)
        await call.write(PublishEventsRequest(first_sequence=1, events=[make.started()]))
        reader = asyncio.create_task(watch_end(call))
        await ended.wait()
    refused = await reader
    await channel.close()
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")
    assert refused.retry_seconds


async def test_a_draining_server_says_so_to_streams_that_are_not_opened_yet(
    sqlite_url: sa.URL, tmp_path: Path
):
    async with running(sqlite_url, tmp_path / "data") as server:
        channel = grpc.aio.insecure_channel(server.address)
        client = Client(channel, server.metadata)
        call = client.events.PublishEvents(metadata=client.metadata)
        await call.wait_for_connection()
        refused = asyncio.create_task(refusal_of(call))
        # A call that was made later was answered: so the one before is being served.
        await client.publish(Producer().open, [])
    assert (await refused).reason == "SERVER_DRAINING"
    await channel.close()
