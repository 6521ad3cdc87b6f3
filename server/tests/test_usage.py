"""The limits of a workspace hold, and one workspace does not starve another."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from producer import Producer, task_id
from running_server import Client, Refused, RunningServer

from stardag.v1 import event_pb2 as pb
from stardag.v1.asset_pb2 import ASSET_KIND_MARKDOWN
from stardag.v1.asset_service_pb2 import AssetDraft, PutAssetRequest
from stardag.v1.event_service_pb2 import PublishEventsRequest, WatchBuildRequest
from stardag.v1.workspace_pb2 import Workspace, WorkspaceLimits
from stardag.v1.workspace_service_pb2 import GetWorkspaceRequest, UpdateWorkspaceRequest
from stardag_server.domain.batch import Batch, Committed
from stardag_server.domain.refusals import ServerOverloaded
from stardag_server.ingest import Ingest
from stardag_server.metrics import Metrics
from stardag_server.store.store import Store


async def limit(server: RunningServer, **limits: int) -> None:
    """Give the workspace of the server these limits, in effect at once."""
    request = UpdateWorkspaceRequest(
        workspace=Workspace(limits=WorkspaceLimits(**limits)),
        update_mask=FieldMask(paths=["limits"]),
    )
    async with server.client() as client:
        await client.workspaces.UpdateWorkspace(request, metadata=client.metadata)


def refused(error: grpc.aio.AioRpcError) -> Refused:
    refused = Refused.of(error)
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    return refused


async def test_calls_above_the_rate_are_told_when_to_come_again(
    client: Client, server: RunningServer, store: Store
):
    await limit(server, max_calls_per_second=2)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        for _ in range(1_000):
            await client.workspaces.GetWorkspace(GetWorkspaceRequest(), metadata=client.metadata)
    error = refused(caught.value)
    assert (error.reason, error.metadata["perSecond"]) == ("RATE_LIMITED", "2")
    assert error.retry_seconds
    await asyncio.sleep(error.retry_seconds)
    await client.workspaces.GetWorkspace(GetWorkspaceRequest(), metadata=client.metadata)


async def test_a_batch_above_the_rate_is_told_when_to_come_again(
    client: Client, server: RunningServer, store: Store
):
    await limit(server, max_events_per_second=10)
    make = Producer()
    events = [make.started(), *(make.pending(f"t{number}") for number in range(13))]
    await client.publish(make.open, events)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.publish(make.open, [make.completed()], first=15)
    error = refused(caught.value)
    assert (error.reason, error.metadata["limit"]) == ("RATE_LIMITED", "events")
    assert error.retry_seconds
    await asyncio.sleep(error.retry_seconds)
    ack = await client.publish(make.open, [make.completed()], first=15)
    assert ack.committed_sequence == 15


async def test_a_stream_above_the_rate_is_slowed_and_loses_nothing(
    client: Client, server: RunningServer, store: Store
):
    await limit(server, max_events_per_second=100)
    make = Producer()
    events = [make.started(), *(make.pending(f"t{number}") for number in range(198))]

    async def requests() -> AsyncIterator[PublishEventsRequest]:
        yield PublishEventsRequest(open=make.open)
        for begin in range(0, len(events), 20):
            yield PublishEventsRequest(first_sequence=begin + 1, events=events[begin : begin + 20])

    begin = asyncio.get_running_loop().time()
    committed = 0
    async for response in client.events.PublishEvents(requests(), metadata=client.metadata):
        committed = max(committed, response.ack.committed_sequence)
    assert committed == len(events)
    # 100 at once, the rest but for the last batch at 100 a second: never faster, on any machine.
    assert asyncio.get_running_loop().time() - begin >= 0.79
    row = await store.queries.build(await store.workspace(), make.build)
    assert (row.head, row.rejected_events) == (len(events), 0)


async def test_a_stream_too_many_is_refused_until_another_ends(
    client: Client, server: RunningServer, store: Store
):
    await limit(server, max_streams=1)

    @contextlib.asynccontextmanager
    async def stream() -> AsyncGenerator[None]:
        call = client.events.PublishEvents(metadata=client.metadata)
        await call.write(PublishEventsRequest(open=Producer().open))
        assert (await call.read()).HasField("opened")
        yield
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF

    async with stream():
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with stream():
                pass
        error = refused(caught.value)
        assert (error.reason, error.metadata) == ("TOO_MANY_STREAMS", {"limit": "1"})
        assert error.retry_seconds
    async with stream():
        pass


async def test_a_watch_too_many_is_refused(client: Client, server: RunningServer, store: Store):
    await limit(server, max_watches=1)
    make = Producer()
    await client.publish(make.open, [make.started()])
    request = WatchBuildRequest(build_id=make.build_id)
    open = client.events.WatchBuild(request, metadata=client.metadata)
    await anext(aiter(open))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(client.events.WatchBuild(request, metadata=client.metadata)))
    assert refused(caught.value).reason == "TOO_MANY_STREAMS"
    open.cancel()


async def test_assets_above_the_quota_are_refused(
    client: Client, server: RunningServer, store: Store
):
    await limit(server, max_asset_bytes=10)

    async def put(content: bytes) -> None:
        draft = AssetDraft(task_id=str(task_id("t")), name="a", kind=ASSET_KIND_MARKDOWN)
        request = PutAssetRequest(draft=draft, content=content)
        await client.assets.PutAsset(request, metadata=client.metadata)

    await put(b"six by")
    await put(b"six by")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await put(b"seven b")
    error = refused(caught.value)
    assert (error.reason, error.metadata["limit"]) == ("QUOTA_EXCEEDED", "10")
    assert error.quotas == ["workspace"] and error.retry_seconds is None
    await put(b"four")


async def opened(store: Store, workspace: int, make: Producer, *events: pb.NewEvent) -> Batch:
    return Batch(workspace, await store.open_stream(workspace, make.stream, make.open), 1, events)


async def test_workspaces_take_turns(store: Store):
    ours, theirs = await store.workspace(), await store.workspace("theirs")
    ingest = Ingest(store, lambda heads: None, Metrics())
    order: list[tuple[str, int]] = []

    async def submit(name: str, batch: Batch) -> asyncio.Future[Committed]:
        outcome = await ingest.submit(batch)
        outcome.add_done_callback(lambda _: order.append((name, batch.stream.key % store.writers)))
        return outcome

    flood: list[asyncio.Future[Committed]] = []
    for _ in range(6):
        make = Producer()
        many = [make.started(), *(make.pending(f"t{number}") for number in range(7_999))]
        flood.append(await submit("flood", await opened(store, ours, make, *many)))
    make = Producer()
    one = await submit("one", await opened(store, theirs, make, make.started()))
    running = asyncio.create_task(ingest.run())
    await asyncio.gather(one, *flood)
    running.cancel()
    # Writers do not wait for each other; the one it had was at most a commit away.
    [lane] = [lane for name, lane in order if name == "one"]
    assert [name for name, at in order if at == lane].index("one") <= 1


async def test_a_queue_that_stays_full_is_told_to_the_client(store: Store):
    ours, theirs = await store.workspace(), await store.workspace("theirs")
    # Nothing is ever committed.
    ingest = Ingest(store, lambda heads: None, Metrics(), patience=0.01)
    make = Producer()
    many = [make.pending(f"t{number}") for number in range(10_000)]
    batch = await opened(store, ours, make, *many)
    for _ in range(5):
        await ingest.submit(batch)
    with pytest.raises(ServerOverloaded):
        await ingest.submit(batch)
    make = Producer()
    await ingest.submit(await opened(store, theirs, make, make.started()))
