"""Builds exported and imported, over a real socket and between all kinds of databases."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf.field_mask_pb2 import FieldMask
from producer import Producer, definition, task_id
from running_server import Client, Refused, running

from stardag.v1 import event_pb2 as pb
from stardag.v1.admin_service_pb2 import ExportBuildRequest, ImportBuildRequest
from stardag.v1.asset_pb2 import ASSET_KIND_MARKDOWN
from stardag.v1.asset_service_pb2 import AssetDraft, GetAssetRequest, PutAssetRequest
from stardag.v1.build_archive_pb2 import BuildArchivePart
from stardag.v1.build_service_pb2 import (
    GetBuildGraphRequest,
    GetBuildRequest,
    GetBuildStatisticsRequest,
    ListBuildFailuresRequest,
    ListTaskStatesRequest,
)
from stardag.v1.event_service_pb2 import WATCH_MODE_EVENTS, WatchBuildRequest
from stardag.v1.registry_service_pb2 import GetTaskRequest, RegisterTasksRequest
from stardag.v1.task_pb2 import TaskFailure, TaskOutput, TaskProgress, TaskWait
from stardag.v1.workspace_pb2 import Workspace, WorkspaceLimits
from stardag.v1.workspace_service_pb2 import UpdateWorkspaceRequest
from stardag_server.store.inspection import Inspection

TASKS = ("source", "loader", "trainer", "late")
ASSET_BYTES = 600_000


@pytest.fixture
async def other(other_url: sa.URL, tmp_path: Path) -> AsyncIterator[Client]:
    """A client of another server, on a database of each kind."""
    async with running(other_url, tmp_path / "other") as server, server.client() as client:
        yield client


async def eventful_build(client: Client) -> Producer:
    """Publish a build with all that an archive must keep."""
    make = Producer()
    made = [
        make.started(
            name="nightly", labels={"team": "search"}, root_task_ids=[str(task_id("trainer"))]
        ),
        make.pending("loader", ["source"], params_json='{"depth": 18446744073709551616}'),
        make.event(pb.EVENT_TYPE_TASK_REUSED, "source"),
        make.event(pb.EVENT_TYPE_TASK_STARTED, "loader", 1),
        make.event(pb.EVENT_TYPE_TASK_PROGRESSED, "loader", 1, progress=TaskProgress(fraction=0.5)),
        make.event(pb.EVENT_TYPE_TASK_COMPLETED, "loader", 1, output=TaskOutput(uri="s3://a/b")),
        make.pending("trainer", ["loader"], output_uri="s3://a/c", version="2"),
        make.event(pb.EVENT_TYPE_TASK_STARTED, "trainer", 1),
        make.pending("late"),
        make.event(
            pb.EVENT_TYPE_TASK_SUSPENDED,
            "trainer",
            1,
            wait=TaskWait(task_ids=[str(task_id("late"))]),
        ),
        # Rejected: a wrong transition, a definition of another task, an id of three bytes.
        make.event(pb.EVENT_TYPE_TASK_COMPLETED, "loader", 1),
        make.event(pb.EVENT_TYPE_TASK_PENDING, "wrong", definition=definition("other")),
        pb.NewEvent(build_id=make.build.bytes, type=pb.EVENT_TYPE_TASK_STARTED, task_id=b"abc"),
        # Of a type that is yet to come.
        make.event(99, "late"),
        make.event(
            pb.EVENT_TYPE_TASK_FAILED,
            "trainer",
            1,
            failure=TaskFailure(kind="ValueError", message="no"),
        ),
        make.event(pb.EVENT_TYPE_PRODUCER_DIED, build_end=pb.BuildEnd(reason="killed")),
    ]
    await client.publish(make.open, made)
    again = Producer(build=make.build)
    await client.publish(
        again.open,
        [
            again.started(),
            *again.run("late"),
            again.event(
                pb.EVENT_TYPE_BUILD_FAILED, build_end=pb.BuildEnd(reason="one task failed")
            ),
        ],
    )
    for content in (b"# one", b"# two " * (ASSET_BYTES // 6)):
        draft = AssetDraft(
            task_id=str(task_id("trainer")),
            name="report",
            kind=ASSET_KIND_MARKDOWN,
            build_id=make.build_id,
        )
        await client.assets.PutAsset(
            PutAssetRequest(draft=draft, content=content), metadata=client.metadata
        )
    return make


async def reads(client: Client, build_id: str) -> list[Any]:
    """Return all that can be read of the build, but for when its tasks were first heard of."""
    call = {"metadata": client.metadata}
    found: list[Any] = [
        await client.builds.GetBuild(GetBuildRequest(build_id=build_id), **call),
        await client.builds.ListTaskStates(ListTaskStatesRequest(build_id=build_id), **call),
        await client.builds.GetBuildStatistics(
            GetBuildStatisticsRequest(build_id=build_id), **call
        ),
        await client.builds.ListBuildFailures(ListBuildFailuresRequest(build_id=build_id), **call),
    ]
    graph = client.builds.GetBuildGraph(GetBuildGraphRequest(build_id=build_id), **call)
    found += [edges(part) async for part in graph]
    watch = WatchBuildRequest(build_id=build_id, mode=WATCH_MODE_EVENTS)
    async for response in client.events.WatchBuild(watch, **call):
        found += response.events
    for name in TASKS:
        task = (
            await client.registry.GetTask(GetTaskRequest(task_id=str(task_id(name))), **call)
        ).task
        task.ClearField("create_time")
        found.append(task)
    for revision in (1, 2):
        request = GetAssetRequest(task_id=str(task_id("trainer")), name="report", revision=revision)
        found.append(await client.assets.GetAsset(request, **call))
    return found


def edges(part: Any) -> Any:
    """Return a part of a graph with its edges in an order of their own."""
    pairs = sorted(zip(part.edge_upstreams, part.edge_downstreams, strict=True))
    part.edge_upstreams[:] = [upstream for upstream, _ in pairs]
    part.edge_downstreams[:] = [downstream for _, downstream in pairs]
    return part


async def export(client: Client, build_id: str) -> list[BuildArchivePart]:
    call = client.admin.ExportBuild(ExportBuildRequest(build_id=build_id), metadata=client.metadata)
    return [response.part async for response in call]


async def import_(client: Client, parts: Sequence[BuildArchivePart]) -> Any:
    requests = (ImportBuildRequest(part=part) for part in parts)
    return (await client.admin.ImportBuild(requests, metadata=client.metadata)).build


async def refusal(client: Client, parts: Sequence[BuildArchivePart]) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await import_(client, parts)
    return Refused.of(caught.value)


async def test_an_imported_build_reads_as_the_exported_one(
    client: Client, other: Client, other_url: sa.URL
):
    make = await eventful_build(client)
    parts = await export(client, make.build_id)
    build = await import_(other, parts)
    assert build.build_id == make.build_id
    assert await reads(other, make.build_id) == await reads(client, make.build_id)
    inspection = Inspection(other_url)
    assert [problem async for problem in inspection.problems()] == []
    await inspection.close()
    again = await export(other, make.build_id)
    for part in (parts[0], again[0]):
        part.header.ClearField("export_time")
    assert again == parts


async def test_a_large_build_is_imported_part_by_part(
    client: Client, other: Client, other_url: sa.URL
):
    make = Producer()
    # Each depends on two that come later, most of them in another part.
    names = [f"t{number}" for number in range(2_500)]
    pending = [
        make.pending(name, [names[(index + 700) % 2_500], names[index - 1]])
        for index, name in enumerate(names)
    ]
    await client.publish(make.open, [make.started(), *pending])
    ends = [make.event(pb.EVENT_TYPE_TASK_REUSED, name) for name in names]
    await client.publish(make.open, [*ends, make.completed()], 2_502)
    parts = await export(client, make.build_id)
    assert sum(part.HasField("tasks") for part in parts) > 2
    assert sum(part.HasField("events") for part in parts) > 2
    await import_(other, parts)
    again = await export(other, make.build_id)
    assert again[1:] == parts[1:]
    inspection = Inspection(other_url)
    assert [problem async for problem in inspection.problems()] == []
    await inspection.close()


async def test_a_build_that_is_there_is_not_imported_again(client: Client):
    make = await eventful_build(client)
    before = await reads(client, make.build_id)
    refused = await refusal(client, await export(client, make.build_id))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "BUILD_EXISTS")
    assert refused.metadata["buildId"] == make.build_id
    assert await reads(client, make.build_id) == before


async def test_assets_above_the_quota_refuse_the_archive_and_nothing_of_it_is_stored(
    client: Client, other: Client
):
    make = await eventful_build(client)
    parts = await export(client, make.build_id)

    async def allow(max_asset_bytes: int) -> None:
        request = UpdateWorkspaceRequest(
            workspace=Workspace(limits=WorkspaceLimits(max_asset_bytes=max_asset_bytes)),
            update_mask=FieldMask(paths=["limits"]),
        )
        await other.workspaces.UpdateWorkspace(request, metadata=other.metadata)

    await allow(10)
    refused = await refusal(other, parts)
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "QUOTA_EXCEEDED",
    )
    assert refused.metadata == {"quota": "bytes of assets", "limit": "10"}
    await has_nothing(other, make.build_id)
    await allow(10**9)
    await import_(other, parts)
    assert await reads(other, make.build_id) == await reads(client, make.build_id)


async def test_what_is_not_there_is_not_exported(client: Client):
    for id, code, reason in (
        (str(uuid4()), grpc.StatusCode.NOT_FOUND, "BUILD_NOT_FOUND"),
        ("nightly", grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await export(client, id)
        refused = Refused.of(caught.value)
        assert (refused.code, refused.reason) == (code, reason)


Parts = list[BuildArchivePart]


def changed(index: int, change: Callable[[BuildArchivePart], object]) -> Callable[[Parts], Parts]:
    """Return what changes the part of an archive at an index."""

    def damage(parts: Parts) -> Parts:
        change(parts[index])
        return parts

    return damage


DAMAGES: dict[str, Callable[[Parts], Parts]] = {
    "nothing at all": lambda parts: [],
    "without its header": lambda parts: parts[1:],
    "without its tasks": lambda parts: [parts[0], *parts[2:]],
    "without its events": lambda parts: [*parts[:2], *parts[3:]],
    "without a chunk": lambda parts: [*parts[:6], *parts[7:]],
    "without an asset": lambda parts: [*parts[:3], *parts[5:]],
    "without its end": lambda parts: parts[:-1],
    "its header twice": lambda parts: [parts[0], *parts],
    "its tasks twice": lambda parts: [*parts[:2], *parts[1:]],
    "its events twice": lambda parts: [*parts[:3], *parts[2:]],
    "an asset twice": lambda parts: [*parts[:5], *parts[3:]],
    "more after its end": lambda parts: [*parts, parts[-1]],
    "events before tasks": lambda parts: [parts[0], parts[2], parts[1], *parts[3:]],
    "an empty part": lambda parts: [parts[0], BuildArchivePart(), *parts[1:]],
    "of another format": changed(0, lambda part: setattr(part.header, "format", 2)),
    "incomplete": changed(0, lambda part: setattr(part.header, "incomplete", True)),
    "of no build": changed(0, lambda part: part.header.ClearField("build_id")),
    "without a stream": changed(0, lambda part: part.header.stream_ids.pop()),
    "a stream twice": changed(
        0, lambda part: part.header.stream_ids.append(part.header.stream_ids[0])
    ),
    "a longer log": changed(0, lambda part: setattr(part.header, "last_position", 99)),
    "a task's id that is none": changed(
        1, lambda part: setattr(part.tasks.tasks[0], "task_id", "x")
    ),
    "a gap in the log": changed(2, lambda part: part.events.events.pop(3)),
    "events swapped": changed(2, lambda part: part.events.events.reverse()),
    "an event of another build": changed(
        2, lambda part: setattr(part.events.events[1].event, "build_id", bytes(16))
    ),
    "an event of an unknown task": changed(
        2, lambda part: setattr(part.events.events[2].event, "task_id", bytes(16))
    ),
    "an event that breaks the rules": changed(
        2, lambda part: setattr(part.events.events[3].event, "attempt", 0)
    ),
    "a rejected event that was taken": changed(
        2, lambda part: setattr(part.events.events[10], "rejection", 0)
    ),
    "an event of the future": changed(
        2, lambda part: setattr(part.events.events[3], "commit_time_us", 1 << 62)
    ),
    "an event of no time": changed(
        2, lambda part: setattr(part.events.events[3], "commit_time_us", 0)
    ),
    "a sequence number that is none": changed(
        2, lambda part: setattr(part.events.events[3], "sequence", (1 << 64) - 1)
    ),
    "an unknown rejection": changed(
        2, lambda part: setattr(part.events.events[3], "rejection", 99)
    ),
    "an asset of another build": changed(
        3, lambda part: setattr(part.asset, "build_id", str(uuid4()))
    ),
    "an asset without a task": changed(3, lambda part: setattr(part.asset, "task_id", "t")),
    "an asset without a revision": changed(3, lambda part: setattr(part.asset, "revision", 0)),
    "an asset with NUL in its name": changed(3, lambda part: setattr(part.asset, "name", "\0")),
    "an asset of another kind": changed(3, lambda part: setattr(part.asset, "kind", 77)),
    "content that was changed": changed(4, lambda part: setattr(part, "asset_chunk", b"# 0ne")),
    "content that is too long": changed(4, lambda part: setattr(part, "asset_chunk", b"# one!")),
}


async def test_what_is_no_whole_archive_is_refused_and_nothing_of_it_stored(
    client: Client, other: Client
):
    make = await eventful_build(client)
    parts = await export(client, make.build_id)
    assert [part.WhichOneof("part") for part in parts[:7]] == [
        "header", "tasks", "events", "asset", "asset_chunk", "asset", "asset_chunk"
    ]  # fmt: skip
    for name, damage in DAMAGES.items():
        copies = [BuildArchivePart.FromString(part.SerializeToString()) for part in parts]
        refused = await refusal(other, damage(copies))
        assert refused.code == grpc.StatusCode.INVALID_ARGUMENT, name
        assert refused.reason == "ARCHIVE_INVALID" and refused.metadata["part"].isdigit(), name
        await has_nothing(other, make.build_id)
    await import_(other, parts)


async def has_nothing(client: Client, build_id: str) -> None:
    for call, request, reason in (
        (client.builds.GetBuild, GetBuildRequest(build_id=build_id), "BUILD_NOT_FOUND"),
        (client.registry.GetTask, GetTaskRequest(task_id=str(task_id("late"))), "TASK_NOT_FOUND"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request, metadata=client.metadata)
        assert Refused.of(caught.value).reason == reason


async def test_tasks_of_an_archive_must_hash_to_their_ids(client: Client, other: Client):
    make = await eventful_build(client)
    parts = await export(client, make.build_id)
    index = [UUID(task.task_id) for task in parts[1].tasks.tasks].index(task_id("late"))
    parts[1].tasks.tasks[index].identity_json = '{"__name":"forged"}'
    refused = await refusal(other, parts)
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "TASK_ID_MISMATCH",
    )
    assert refused.metadata["index"] == str(index)
    await has_nothing(other, make.build_id)


async def test_a_task_known_as_another_refuses_the_archive(client: Client, other: Client):
    make = await eventful_build(client)
    await other.registry.RegisterTasks(
        RegisterTasksRequest(
            tasks=[definition("trainer", version="1", task_id=str(task_id("trainer")))]
        ),
        metadata=other.metadata,
    )
    refused = await refusal(other, await export(client, make.build_id))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "TASK_CONFLICT")
    await has_nothing(other, make.build_id)


async def test_two_builds_of_one_stream_are_imported_beside_each_other(
    client: Client, other: Client
):
    first = Producer()
    second = Producer(stream=first.stream)
    await client.publish(first.open, [first.started(), *first.run("a"), first.completed()])
    await client.publish(second.open, [second.started(), *second.run("a"), second.completed()], 6)
    for make in (first, second):
        await import_(other, await export(client, make.build_id))
    for make in (first, second):
        request = GetBuildRequest(build_id=make.build_id)
        assert await other.builds.GetBuild(
            request, metadata=other.metadata
        ) == await client.builds.GetBuild(request, metadata=client.metadata)


async def test_a_build_may_go_on_where_it_was_imported(client: Client, other: Client):
    make = Producer()
    await client.publish(make.open, [make.started(), make.pending("a")])
    await import_(other, await export(client, make.build_id))
    await other.publish(make.open, [*make.run("b"), make.completed()], 3)
    build = (
        await other.builds.GetBuild(
            GetBuildRequest(build_id=make.build_id), metadata=other.metadata
        )
    ).build
    assert build.completeness.recorded_events == 6
