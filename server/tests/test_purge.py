"""Builds deleted by a filter, over a real socket."""

from typing import Any

import grpc
import pytest
from producer import Producer, task_id
from running_server import Client, Refused

from stardag.v1 import event_pb2 as pb
from stardag.v1.admin_service_pb2 import (
    DeletionProgress,
    PurgeBuildsRequest,
    PurgeBuildsResponse,
    RunRetentionRequest,
)
from stardag.v1.asset_pb2 import ASSET_KIND_MARKDOWN
from stardag.v1.asset_service_pb2 import AssetDraft, PutAssetRequest
from stardag.v1.build_service_pb2 import ListBuildsRequest


async def build(client: Client, name: str, *tasks: str, ended: bool = True) -> str:
    make = Producer()
    events = [make.started(name=name)]
    for task in tasks:
        events += make.run(task)
    await client.publish(make.open, [*events, *([make.completed()] if ended else [])])
    return make.build_id


async def purge(client: Client, filter: str, **more: Any) -> list[PurgeBuildsResponse]:
    request = PurgeBuildsRequest(filter=filter, **more)
    call = client.admin.PurgeBuilds(request, metadata=client.metadata)
    return [response async for response in call]


async def builds(client: Client) -> set[str]:
    response = await client.builds.ListBuilds(ListBuildsRequest(), metadata=client.metadata)
    return {build.build_id for build in response.builds}


async def test_what_matches_goes_with_all_that_only_it_has_and_it_is_told_as_it_goes(
    client: Client,
):
    kept = await build(client, "kept", "shared")
    running = await build(client, "trial", "at-work", ended=False)
    await build(client, "trial", "shared", "alone")
    await build(client, "trial", "other")
    for content in (b"1", b"2"):
        draft = AssetDraft(task_id=str(task_id("alone")), name="r", kind=ASSET_KIND_MARKDOWN)
        request = PutAssetRequest(draft=draft, content=content)
        await client.assets.PutAsset(request, metadata=client.metadata)
    total = DeletionProgress(builds=2, events=13, tasks=2, asset_revisions=2)
    dry = await purge(client, 'name = "trial"', dry_run=True)
    assert dry == [PurgeBuildsResponse(matched_builds=2, progress=total)]
    assert len(await builds(client)) == 4
    told = await purge(client, 'name = "trial"')
    assert [response.progress.builds for response in told] == [0, 1, 2]
    assert {response.matched_builds for response in told} == {2}
    assert told[-1].progress == total
    assert await builds(client) == {kept, running}
    again = await purge(client, 'name = "trial"')
    assert again == [PurgeBuildsResponse(progress=DeletionProgress())]


async def test_retention_tells_of_assets_too(client: Client):
    await build(client, "b", "a")
    call = client.admin.RunRetention(RunRetentionRequest(dry_run=True), metadata=client.metadata)
    assert [response.progress async for response in call] == [DeletionProgress()]


async def test_a_build_that_nobody_started_can_be_purged(client: Client):
    make = Producer()
    await client.publish(make.open, [make.event(pb.EVENT_TYPE_TASK_STARTED, "a", 1)])
    told = await purge(client, f"build_id = {make.build_id!r}".replace("'", '"'))
    assert told[-1].progress == DeletionProgress(builds=1, events=1, tasks=1)


@pytest.mark.parametrize(
    ("filter", "reason"),
    [
        ("", "REQUEST_INVALID"),
        ("   ", "REQUEST_INVALID"),
        ("nonsense =", "FILTER_INVALID"),
        ("params.x = 1", "FILTER_INVALID"),
    ],
)
async def test_without_saying_which_nothing_is_deleted(client: Client, filter: str, reason: str):
    there = await build(client, "b")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await purge(client, filter)
    refused = Refused.of(caught.value)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert await builds(client) == {there}
