"""The log of a build over a real socket: in pages, filtered, from either end."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from producer import Producer, task_id
from running_server import Client, Refused

from stardag.v1 import event_pb2 as pb
from stardag.v1.event_service_pb2 import ListEventsRequest


@pytest.fixture
async def make(client: Client) -> Producer:
    """A build with ten events: one of them, the fifth, makes no sense."""
    make = Producer()
    senseless = make.event(pb.EVENT_TYPE_TASK_STARTED, "a", attempt=0)
    events = [make.started(), *make.run("a"), senseless, *make.run("b"), make.pending("c")]
    await client.publish(make.open, [*events, make.completed()])
    return make


async def positions(client: Client, make: Producer, **request: Any) -> list[int]:
    """Return the positions of all events that are listed, over all pages."""
    asked = ListEventsRequest(build_id=make.build_id, **request)
    found: list[int] = []
    while True:
        response = await client.events.ListEvents(asked, metadata=client.metadata)
        found += [event.position for event in response.events]
        if not response.next_page_token:
            return found
        asked.page_token = response.next_page_token


@pytest.mark.parametrize("size", [0, 1, 3, 10])
async def test_pages_have_each_event_once_from_either_end(
    client: Client, make: Producer, size: int
):
    assert await positions(client, make, page_size=size) == [*range(1, 11)]
    assert await positions(client, make, page_size=size, order_by="position desc") == [
        *range(10, 0, -1)
    ]


async def test_events_are_filtered_by_each_field(client: Client, make: Producer):
    for filter, found in {
        f'task_id = "{task_id("b")}"': [6, 7, 8],
        "type = TASK_STARTED": [3, 5, 7],
        "type = TASK_STARTED AND NOT rejection = EVENT_INVALID": [3, 7],
        "rejection = EVENT_INVALID": [5],
        "attempt >= 1": [3, 4, 7, 8],
        "position > 8": [9, 10],
        'name = "b" OR name = "c"': [6, 7, 8, 9],
        'namespace = "" AND position <= 2': [2],
        f'stream_id = "{make.stream}" AND position = 1': [1],
        f'stream_id = "{uuid4()}"': [],
        'event_time <= "2023-11-14T22:13:20.003Z"': [1, 2, 5],
        'commit_time < "2020-01-01T00:00:00Z"': [],
    }.items():
        assert await positions(client, make, filter=filter, page_size=2) == found, filter


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"filter": "build_id = 1"}, "FILTER_INVALID"),
        ({"order_by": "type"}, "ORDER_INVALID"),
        ({"page_token": "x"}, "PAGE_TOKEN_INVALID"),
        ({"page_size": -1}, "REQUEST_INVALID"),
        ({"build_id": str(uuid4())}, "BUILD_NOT_FOUND"),
    ],
)
async def test_what_can_not_be_listed_is_refused(
    client: Client, make: Producer, request_: dict[str, Any], reason: str
):
    given: dict[str, Any] = {"build_id": make.build_id, **request_}
    request = ListEventsRequest(**given)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.events.ListEvents(request, metadata=client.metadata)
    assert Refused.of(caught.value).reason == reason
