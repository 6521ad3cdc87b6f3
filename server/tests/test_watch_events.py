"""Following a whole workspace: every event that matches, once, in the order of commits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf.duration_pb2 import Duration
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from producer import Producer, task_id
from running_server import Client, Refused, running
from server_process import ServerProcess

from stardag.v1 import event_pb2 as pb
from stardag.v1.event_service_pb2 import (
    OpenEventStream,
    WatchEventsRequest,
    WatchEventsResponse,
)
from stardag_server.domain.batch import Batch
from stardag_server.store.store import Store
from stardag_server.store.workspace_log import LogPlace


def watch(client: Client, **request: Any) -> Any:
    return client.events.WatchEvents(WatchEventsRequest(**request), metadata=client.metadata)


async def begun(client: Client, **request: Any) -> tuple[Any, WatchEventsResponse]:
    """Return a watch, and its first response, which says that it has begun."""
    call = watch(client, **request)
    first = await call.read()
    assert not first.events and not first.heartbeat and first.cursor
    return call, first


async def read(call: Any, count: int) -> list[pb.Event]:
    """Return the next events of a watch, exactly so many."""
    events: list[pb.Event] = []
    async with asyncio.timeout(20):
        while len(events) < count:
            events += (await call.read()).events
    assert len(events) == count
    return events


async def refusal(call: Any) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while await call.read() is not grpc.aio.EOF:
            pass
    return Refused.of(caught.value)


async def test_it_has_the_events_of_all_builds_from_now_on(client: Client):
    before, one, two = Producer(), Producer(), Producer()
    await client.publish(before.open, [before.started()])
    call, _ = await begun(client)
    await client.publish(one.open, [one.started(), *one.run("a")])
    await client.publish(two.open, [two.started()])
    await client.publish(one.open, [one.completed()], first=5)
    events = await read(call, 6)
    assert [(event.build_id, event.position) for event in events] == [
        *((one.build_id, position) for position in (1, 2, 3, 4)),
        (two.build_id, 1),
        (one.build_id, 5),
    ]
    assert events[1].task_id == str(task_id("a"))


async def test_it_goes_on_after_its_cursor_without_gap_or_repetition(client: Client):
    make = Producer()
    call, first = await begun(client)
    await client.publish(make.open, [make.started(), *make.run("a")])
    cursor = first.cursor
    seen: list[int] = []
    while len(seen) < 4:
        response = await call.read()
        seen += [event.position for event in response.events]
        cursor = response.cursor
    call.cancel()
    await client.publish(make.open, make.run("b"), first=5)
    again, _ = await begun(client, cursor=cursor)
    assert [event.position for event in await read(again, 3)] == [5, 6, 7]
    from_the_start, _ = await begun(client, cursor=first.cursor)
    assert [event.position for event in await read(from_the_start, 7)] == [*range(1, 8)]


@pytest.mark.parametrize(
    ("filter", "positions"),
    [
        ("type = TASK_COMPLETED", [4, 7]),
        (f'task_id = "{task_id("b")}"', [5, 6, 7]),
        ("name = a AND NOT type = TASK_PENDING", [3, 4]),
        ("position > 6", [7, 8]),
        ('build_id = "{build}" AND type = BUILD_STARTED', [1]),
    ],
)
async def test_it_has_what_matches_its_filter(client: Client, filter: str, positions: list[int]):
    make = Producer()
    call, _ = await begun(client, filter=filter.replace("{build}", make.build_id))
    events = [make.started(), *make.run("a"), *make.run("b"), make.completed()]
    await client.publish(make.open, events)
    assert [event.position for event in await read(call, len(positions))] == positions


async def test_heartbeats_move_its_cursor_past_what_does_not_match(client: Client):
    make = Producer()
    request = {"filter": "type = BUILD_COMPLETED", "heartbeat_interval": Duration(seconds=1)}
    call, first = await begun(client, **request)
    await client.publish(make.open, [make.started()])
    beat = asyncio.ensure_future(call.read())
    # Commits of which it wants nothing are silence, too.
    for sequence in range(2, 200):
        if beat.done():
            break
        await client.publish(make.open, [make.pending(str(sequence))], first=sequence)
        await asyncio.wait({beat}, timeout=0.1)
    response = await beat
    assert response.heartbeat and not response.events
    assert response.cursor != first.cursor


@pytest.mark.parametrize(
    ("cursor", "filter"),
    [("{cursor}xx", ""), ("x", ""), ("{cursor}", "type = TASK_STARTED")],
)
async def test_a_cursor_that_is_not_its_own_is_refused(client: Client, cursor: str, filter: str):
    _, first = await begun(client)
    given = cursor.replace("{cursor}", first.cursor)
    refused = await refusal(watch(client, cursor=given, filter=filter))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "CURSOR_INVALID",
    )


async def test_a_senseless_filter_is_refused(client: Client):
    refused = await refusal(watch(client, filter="colour = red"))
    assert refused.reason == "FILTER_INVALID"


async def test_a_cursor_behind_what_is_kept_has_expired(client: Client, database_url: sa.URL):
    make = Producer()
    _, first = await begun(client)
    await client.publish(make.open, [make.started(), *make.run("a"), make.completed()])
    store = Store(database_url)
    [row] = await store.listing.builds(1, None, 1)
    await store.retention._trimming.delete_events(row.id, 0, 3)
    await store.close()
    refused = await refusal(watch(client, cursor=first.cursor))
    assert (refused.code, refused.reason) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")


async def test_it_goes_on_after_a_restart_and_at_another_replica(
    postgres_url: sa.URL, tmp_path: Path
):
    url = postgres_url.render_as_string(hide_password=False)
    make = Producer()
    with ServerProcess(tmp_path / "a", url) as one, ServerProcess(tmp_path / "b", url) as two:
        async with one.channel() as channel, two.channel() as other:
            here, there = Client(channel, one.metadata), Client(other, two.metadata)
            call, _ = await begun(here)
            await there.publish(make.open, [make.started(), *make.run("a")])
            seen: list[int] = []
            cursor = ""
            while len(seen) < 4:
                response = await call.read()
                seen += [event.position for event in response.events]
                cursor = response.cursor or cursor
            one.kill()
            await there.publish(make.open, make.run("b"), first=5)
            again, _ = await begun(there, cursor=cursor)
            assert [event.position for event in await read(again, 3)] == [5, 6, 7]


async def test_a_server_that_stops_tells_its_watches(database_url: sa.URL, tmp_path: Path):
    async with contextlib.AsyncExitStack() as stack:
        async with running(database_url, tmp_path / "data") as server:
            client = await stack.enter_async_context(server.client())
            call, _ = await begun(client)
        assert (await refusal(call)).reason == "SERVER_DRAINING"


async def commits(store: Store, batches: Sequence[int]) -> AsyncIterator[None]:
    """Commit so many builds' worth of events, several commits at once."""
    producers = [Producer() for _ in batches]
    streams: list[OpenEventStream] = [make.open for make in producers]
    opened = [
        await store.open_stream(1, make.stream, open)
        for make, open in zip(producers, streams, strict=True)
    ]
    for index in range(max(batches)):
        yield
        await asyncio.gather(
            *(
                store.commit([Batch(1, stream, index + 1, [make.started()])])
                for make, stream, count in zip(producers, opened, batches, strict=True)
                if index < count
            )
        )


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batches=st.lists(st.integers(1, 6), min_size=2, max_size=6))
async def test_whoever_reads_while_commits_go_on_misses_none(
    postgres_url: sa.URL, batches: list[int]
):
    store = Store(postgres_url)
    await store.workspace()
    head, _ = await store.logs.head(1)
    place = LogPlace(head + 1)
    seen: list[tuple[int, int]] = []
    writing = asyncio.create_task(_drain(commits(store, batches)))
    while True:
        done = writing.done()
        until, _ = await store.logs.head(1)
        rows = await store.logs.events(1, place, until, 1_000)
        seen += [(row.build_key, row.position) for row in rows]
        place = LogPlace(until + 1)
        if done:
            break
        await asyncio.sleep(0)
    await writing
    assert len(seen) == len(set(seen)) == sum(batches)
    for build in {key for key, _ in seen}:
        positions = [position for key, position in seen if key == build]
        assert positions == sorted(positions)
    await store.close()


async def _drain(each: AsyncIterator[None]) -> None:
    async for _ in each:
        pass


async def test_a_transaction_held_open_holds_nobody_up_and_loses_nothing(postgres_url: sa.URL):
    store = Store(postgres_url)
    await store.workspace()
    slow, quick = Producer(), Producer()
    streams = [await store.open_stream(1, make.stream, make.open) for make in (slow, quick)]
    # What the slow one will commit waits for a lock that somebody else holds.
    await store.commit([Batch(1, streams[0], 1, [slow.started()])])
    head, _ = await store.logs.head(1)
    place = LogPlace(head + 1)
    async with store._database.write() as blocking:
        await blocking.execute(sa.text("SELECT 1 FROM builds FOR UPDATE"))
        waiting = asyncio.create_task(store.commit([Batch(1, streams[0], 2, slow.run("a"))]))
        await asyncio.sleep(0.1)
        await store.commit([Batch(1, streams[1], 1, [quick.started()])])
        until, _ = await store.logs.head(1)
        first = await store.logs.events(1, place, until, 10)
        assert [row.build_uuid for row in first] == [quick.build]
        assert not waiting.done()
    await waiting
    place, (until, _) = LogPlace(until + 1), await store.logs.head(1)
    rest = await store.logs.events(1, place, until, 10)
    assert {row.build_uuid for row in rest} == {slow.build}
    await store.close()
