"""Events that were stored without being applied are listed, with their reason."""

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from producer import Producer
from running_server import Client, Refused

from stardag.v1 import event_pb2 as pb
from stardag.v1.event_service_pb2 import ListRejectedEventsRequest


async def rejected(client: Client, **request: Any) -> Sequence[pb.Event]:
    """Return all rejected events, over all pages."""
    asked = ListRejectedEventsRequest(**request)
    found: list[pb.Event] = []
    while True:
        page = await client.events.ListRejectedEvents(asked, metadata=client.metadata)
        found += page.events
        if not page.next_page_token:
            return found
        asked.page_token = page.next_page_token


@pytest.fixture
async def make(client: Client) -> Producer:
    """A stream with seven rejected events: three of its build, and four that name none."""
    make = Producer()
    senseless = make.event(pb.EVENT_TYPE_TASK_STARTED, "a", attempt=0)
    await client.publish(make.open, [make.started(), *[senseless] * 3])
    stray = pb.NewEvent(build_id=b"short", type=pb.EVENT_TYPE_TASK_STARTED)
    await client.publish(make.open, [stray] * 4, first=5)
    return make


@pytest.mark.parametrize("size", [0, 1, 2, 7])
async def test_each_is_listed_once_the_last_first(client: Client, make: Producer, size: int):
    found = await rejected(client, page_size=size)
    assert [event.sequence for event in found] == [8, 7, 6, 5, 4, 3, 2]
    for event in found:
        assert event.rejection and event.rejection_message
        assert event.stream_id == str(make.stream)
    assert {event.build_id for event in found[:4]} == {""}
    assert [event.position for event in found] == [0, 0, 0, 0, 4, 3, 2]


async def test_those_of_one_stream_may_be_asked_for(client: Client, make: Producer):
    other = Producer()
    await client.publish(other.open, [pb.NewEvent(build_id=b"x", type=pb.EVENT_TYPE_TASK_STARTED)])
    [event] = await rejected(client, stream_id=str(other.stream))
    assert event.stream_id == str(other.stream)
    assert len(await rejected(client)) == 8


async def test_a_stream_that_is_no_uuid_is_refused(client: Client):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rejected(client, stream_id="x")
    assert Refused.of(caught.value).fields == ["stream_id"]
