"""Nothing of one workspace is seen, found or changed from another."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from producer import Producer, definition, task_id
from running_server import Client, Refused
from test_transport import contract_methods

from stardag.v1 import (
    admin_service_pb2,
    asset_service_pb2,
    auth_service_pb2,
    build_service_pb2,
    event_service_pb2,
    lease_service_pb2,
    registry_service_pb2,
    workspace_service_pb2,
)
from stardag.v1 import event_pb2 as pb
from stardag.v1.asset_pb2 import ASSET_KIND_MARKDOWN
from stardag.v1.asset_service_pb2 import AssetDraft
from stardag.v1.auth_pb2 import SCOPE_ADMIN
from stardag.v1.lease_pb2 import ConcurrencyLimit
from stardag.v1.workspace_pb2 import Workspace

TASK = str(task_id("secret"))
HOLDER = "3f0c1f0a-0000-4000-8000-000000000001"


@dataclass
class Two:
    """A workspace with one of everything, and a stranger who may do everything in another."""

    owner: Client
    stranger: Client
    make: Producer
    lease: Any
    key_id: str


@pytest.fixture
async def two(client: Client) -> AsyncIterator[Two]:
    operator = client.metadata
    await client.workspaces.CreateWorkspace(
        workspace_service_pb2.CreateWorkspaceRequest(workspace=Workspace(name="other")),
        metadata=operator,
    )
    request = auth_service_pb2.CreateKeyRequest(
        display_name="stranger", scopes=[SCOPE_ADMIN], workspace="other"
    )
    stranger = await client.auth.CreateKey(request, metadata=operator)
    request.workspace = ""
    own = await client.auth.CreateKey(request, metadata=operator)
    make = Producer()
    await client.publish(
        make.open,
        [
            make.started(name="secret"),
            *make.run("secret"),
            pb.NewEvent(build_id=b"x", type=pb.EVENT_TYPE_BUILD_STARTED),
        ],
    )
    await client.assets.PutAsset(
        asset_service_pb2.PutAssetRequest(
            draft=AssetDraft(task_id=TASK, name="secret", kind=ASSET_KIND_MARKDOWN),
            content=b"secret",
        ),
        metadata=operator,
    )
    await client.leases.PutConcurrencyLimit(
        lease_service_pb2.PutConcurrencyLimitRequest(
            limit=ConcurrencyLimit(name="secret", max_slots=1)
        ),
        metadata=operator,
    )
    lease = await client.leases.AcquireLease(
        lease_service_pb2.AcquireLeaseRequest(
            name="secret", holder_id=HOLDER, ttl=Duration(seconds=60)
        ),
        metadata=operator,
    )
    yield Two(client, client.with_key(stranger.secret), make, lease.lease, own.key.key_id)


Request = tuple[str, Any]


def by_id(two: Two) -> dict[str, Request]:
    """Return, by method, what is not found, and a request for it."""
    build = two.make.build_id
    b, r, a = build_service_pb2, registry_service_pb2, asset_service_pb2
    e, x = event_service_pb2, admin_service_pb2
    asset = {"task_id": TASK, "name": "secret"}
    return {
        "BuildService/GetBuild": ("BUILD", b.GetBuildRequest(build_id=build)),
        "BuildService/CancelBuild": ("BUILD", b.CancelBuildRequest(build_id=build)),
        "BuildService/ListTaskStates": ("BUILD", b.ListTaskStatesRequest(build_id=build)),
        "BuildService/GetBuildGraph": ("BUILD", b.GetBuildGraphRequest(build_id=build)),
        "BuildService/GetBuildStatistics": ("BUILD", b.GetBuildStatisticsRequest(build_id=build)),
        "BuildService/ListBuildFailures": ("BUILD", b.ListBuildFailuresRequest(build_id=build)),
        "BuildService/ListBlockedTasks": ("BUILD", b.ListBlockedTasksRequest(build_id=build)),
        "BuildService/CompareBuilds": (
            "BUILD",
            b.CompareBuildsRequest(base_build_id=build, build_id=build),
        ),
        "EventService/WatchBuild": ("BUILD", e.WatchBuildRequest(build_id=build)),
        "EventService/ListEvents": ("BUILD", e.ListEventsRequest(build_id=build)),
        "AdminService/ExportBuild": ("BUILD", x.ExportBuildRequest(build_id=build)),
        "RegistryService/GetTask": ("TASK", r.GetTaskRequest(task_id=TASK)),
        "RegistryService/GetLineage": (
            "TASK",
            r.GetLineageRequest(task_id=TASK, direction=r.LINEAGE_DIRECTION_UPSTREAM),
        ),
        "RegistryService/ExplainTask": ("TASK", r.ExplainTaskRequest(task_id=TASK)),
        "RegistryService/GetTaskHistory": ("TASK", r.GetTaskHistoryRequest(task_id=TASK)),
        "AssetService/GetAsset": ("ASSET", a.GetAssetRequest(**asset)),
        "AssetService/DownloadAsset": ("ASSET", a.DownloadAssetRequest(**asset)),
        "AuthService/RevokeKey": (
            "KEY",
            auth_service_pb2.RevokeKeyRequest(key_id=two.key_id),
        ),
    }


LISTS: dict[str, Any] = {
    "BuildService/ListBuilds": build_service_pb2.ListBuildsRequest(),
    "EventService/ListRejectedEvents": event_service_pb2.ListRejectedEventsRequest(),
    "RegistryService/ListTasks": registry_service_pb2.ListTasksRequest(),
    "RegistryService/FindProducers": registry_service_pb2.FindProducersRequest(task_ids=[TASK]),
    "RegistryService/BatchGetTasks": registry_service_pb2.BatchGetTasksRequest(task_ids=[TASK]),
    "RegistryService/SuggestFilterValues": registry_service_pb2.SuggestFilterValuesRequest(
        subject=registry_service_pb2.FILTER_SUBJECT_TASKS, field="name"
    ),
    "AssetService/ListAssets": asset_service_pb2.ListAssetsRequest(),
    "LeaseService/ListLeases": lease_service_pb2.ListLeasesRequest(),
    "LeaseService/ListConcurrencyLimits": lease_service_pb2.ListConcurrencyLimitsRequest(),
    "AdminService/PurgeBuilds": admin_service_pb2.PurgeBuildsRequest(filter="name = secret"),
    "AdminService/RunRetention": admin_service_pb2.RunRetentionRequest(),
    "AuthService/ListKeys": auth_service_pb2.ListKeysRequest(),
    "WorkspaceService/GetWorkspace": workspace_service_pb2.GetWorkspaceRequest(),
}
"""Reads that find nothing of the owner's."""

OWN = {
    "AdminService/GetServerInfo",
    "AdminService/ImportBuild",
    "AssetService/DeleteAsset",
    "AssetService/PutAsset",
    "AssetService/UploadAsset",
    "AuthService/CreateKey",
    "AuthService/GetCaller",
    "EventService/PublishEventBatch",
    "EventService/PublishEvents",
    "EventService/WatchEvents",
    "LeaseService/AcquireLease",
    "LeaseService/DeleteConcurrencyLimit",
    "LeaseService/PutConcurrencyLimit",
    "LeaseService/ReleaseLeases",
    "LeaseService/RenewLeases",
    "LeaseService/RevokeLease",
    "RegistryService/RegisterTasks",
    "WorkspaceService/CreateWorkspace",
    "WorkspaceService/ListWorkspaces",
    "WorkspaceService/UpdateWorkspace",
}
"""What names nothing that is there, or is tried below."""


async def answers(client: Client, method: str, request: Any) -> list[bytes]:
    """Return all responses to a request, as bytes."""
    channel: Any = client.channel
    path = f"/stardag.v1.{method}"
    [streams] = [out for found, _, out in contract_methods() if found == path]
    if streams:
        call = channel.unary_stream(path, request_serializer=type(request).SerializeToString)
        return [each async for each in call(request, metadata=client.metadata, timeout=20)]
    call = channel.unary_unary(path, request_serializer=type(request).SerializeToString)
    return [await call(request, metadata=client.metadata)]


def test_every_method_is_looked_at():
    served = {path.removeprefix("/stardag.v1.") for path, _, _ in contract_methods()}
    two = Two(None, None, Producer(), None, "")  # type: ignore[arg-type]
    assert served == {*by_id(two), *LISTS, *OWN}


async def test_what_is_there_is_not_found_from_elsewhere(two: Two):
    for method, (kind, request) in by_id(two).items():
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await answers(two.stranger, method, request)
        refused = Refused.of(caught.value)
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.NOT_FOUND,
            f"{kind}_NOT_FOUND",
        ), method
    # And the owner has it all, so that the requests are right.
    changing = ("Delete", "Revoke", "Cancel", "Watch")
    for method, (_, request) in by_id(two).items():
        if not any(word in method for word in changing):
            assert await answers(two.owner, method, request), method


async def test_lists_have_nothing_of_it(two: Two):
    for method, request in LISTS.items():
        told = b"".join(await answers(two.stranger, method, request))
        assert b"secret" not in told.replace(b"secret\x00", b""), method
        assert two.make.build_id.encode() not in told, method
        assert str(two.make.stream).encode() not in told, method
    assert await answers(two.owner, "BuildService/ListBuilds", LISTS["BuildService/ListBuilds"])
    build = build_service_pb2.GetBuildRequest(build_id=two.make.build_id)
    assert await answers(two.owner, "BuildService/GetBuild", build)


async def test_a_search_by_parameters_finds_nothing_of_it(two: Two):
    """By whatever condition: it is the one list that has no policy behind it."""
    for filter in ("NOT params.x = 1", "params.x = 1 OR name = secret"):
        request = registry_service_pb2.ListTasksRequest(filter=filter)
        found = [
            [*(await client.registry.ListTasks(request, metadata=client.metadata)).tasks]
            for client in (two.owner, two.stranger)
        ]
        assert [len(tasks) for tasks in found] == [1, 0], filter


async def test_who_publishes_to_anothers_build_makes_one_of_ones_own(two: Two):
    make = two.make
    await two.stranger.publish(make.open, [make.started(name="mine"), make.completed()])
    get = build_service_pb2.GetBuildRequest(build_id=make.build_id)
    mine, theirs = [
        (await client.builds.GetBuild(get, metadata=client.metadata)).build
        for client in (two.stranger, two.owner)
    ]
    assert (mine.name, theirs.name) == ("mine", "secret")
    assert mine.completeness.recorded_events == 2
    assert theirs.completeness.recorded_events == 4


async def test_a_stream_of_the_same_id_leaves_anothers_open(two: Two):
    stream = two.owner.events.PublishEvents(metadata=two.owner.metadata)
    await stream.write(event_service_pb2.PublishEventsRequest(open=two.make.open))
    await stream.read()
    await two.stranger.publish(two.make.open, [two.make.started()])
    await stream.write(
        event_service_pb2.PublishEventsRequest(first_sequence=6, events=[two.make.completed()])
    )
    assert (await stream.read()).ack.committed_sequence == 6
    stream.cancel()


async def test_who_registers_anothers_task_has_it_for_oneself(two: Two):
    request = registry_service_pb2.RegisterTasksRequest(tasks=[definition("secret", task_id=TASK)])
    told = await two.stranger.registry.RegisterTasks(request, metadata=two.stranger.metadata)
    assert told.existing_count == 0


async def test_a_watch_of_a_workspace_is_told_nothing_of_another(two: Two):
    watch = two.stranger.events.WatchEvents(
        event_service_pb2.WatchEventsRequest(heartbeat_interval=Duration(seconds=1)),
        metadata=two.stranger.metadata,
    )
    await watch.read()
    await two.owner.publish(two.make.open, [two.make.completed()], first=6)
    response = await watch.read()
    assert response.heartbeat and not response.events
    watch.cancel()


async def test_anothers_lease_is_neither_renewed_released_nor_revoked(two: Two):
    leases, metadata = two.stranger.leases, two.stranger.metadata
    l = lease_service_pb2  # noqa: E741
    token = two.lease.fencing_token
    reference = l.LeaseReference(name="secret", fencing_token=token)
    renewed = await leases.RenewLeases(
        l.RenewLeasesRequest(holder_id=HOLDER, leases=[reference], ttl=Duration(seconds=60)),
        metadata=metadata,
    )
    assert not renewed.renewed and len(renewed.lost) == 1
    await leases.ReleaseLeases(
        l.ReleaseLeasesRequest(holder_id=HOLDER, leases=[reference]), metadata=metadata
    )
    await leases.RevokeLease(
        l.RevokeLeaseRequest(name="secret", fencing_token=token), metadata=metadata
    )
    await leases.DeleteConcurrencyLimit(
        l.DeleteConcurrencyLimitRequest(name="secret"), metadata=metadata
    )
    limits = await two.owner.leases.ListConcurrencyLimits(
        l.ListConcurrencyLimitsRequest(), metadata=two.owner.metadata
    )
    assert [limit.name for limit in limits.limits] == ["secret"]
    held = await two.owner.leases.ListLeases(l.ListLeasesRequest(), metadata=two.owner.metadata)
    assert [lease.name for lease in held.leases] == ["secret"]
    # The name is free where the stranger is.
    own = await leases.AcquireLease(
        l.AcquireLeaseRequest(name="secret", holder_id=HOLDER, ttl=Duration(seconds=60)),
        metadata=metadata,
    )
    assert own.outcome == l.LEASE_OUTCOME_ACQUIRED


async def test_anothers_asset_is_not_deleted(two: Two):
    request = asset_service_pb2.DeleteAssetRequest(task_id=TASK, name="secret")
    await two.stranger.assets.DeleteAsset(request, metadata=two.stranger.metadata)
    get = asset_service_pb2.GetAssetRequest(task_id=TASK, name="secret")
    kept = await two.owner.assets.GetAsset(get, metadata=two.owner.metadata)
    assert kept.content == b"secret"


async def test_anothers_workspace_is_not_changed(two: Two):
    await two.stranger.workspaces.UpdateWorkspace(
        workspace_service_pb2.UpdateWorkspaceRequest(
            workspace=Workspace(description="mine"),
            update_mask=FieldMask(paths=["description"]),
        ),
        metadata=two.stranger.metadata,
    )
    get = workspace_service_pb2.GetWorkspaceRequest()
    theirs = await two.owner.workspaces.GetWorkspace(get, metadata=two.owner.metadata)
    assert (theirs.workspace.name, theirs.workspace.description) == ("default", "")
