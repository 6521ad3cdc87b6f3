"""Workspaces: made, read, changed, listed."""

from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from running_server import Client, Refused

from stardag.v1.auth_pb2 import SCOPE_ADMIN
from stardag.v1.workspace_pb2 import RetentionPolicy as Retention
from stardag.v1.workspace_pb2 import Workspace, WorkspaceLimits
from stardag.v1.workspace_service_pb2 import (
    CreateWorkspaceRequest,
    GetWorkspaceRequest,
    ListWorkspacesRequest,
    UpdateWorkspaceRequest,
)
from stardag_server.auth.principal import Principal, let_in
from stardag_server.domain.refusals import ScopeMissing
from stardag_server.domain.retention import RetentionPolicy
from stardag_server.domain.workspace import DEFAULT_LIMITS
from stardag_server.services.workspace_service import WorkspaceService
from stardag_server.store.store import Store
from stardag_server.usage import Usage


async def get(client: Client) -> Workspace:
    answer = await client.workspaces.GetWorkspace(GetWorkspaceRequest(), metadata=client.metadata)
    return answer.workspace


async def create(client: Client, workspace: Workspace) -> Workspace:
    request = CreateWorkspaceRequest(workspace=workspace)
    return (await client.workspaces.CreateWorkspace(request, metadata=client.metadata)).workspace


async def update(client: Client, *paths: str, **fields: Any) -> Workspace:
    request = UpdateWorkspaceRequest(
        workspace=Workspace(**fields), update_mask=FieldMask(paths=paths)
    )
    return (await client.workspaces.UpdateWorkspace(request, metadata=client.metadata)).workspace


async def refused(call: Any) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return Refused.of(caught.value)


async def test_a_new_server_has_one_workspace_under_its_defaults(client: Client):
    workspace = await get(client)
    assert workspace.name == "default" and workspace.HasField("create_time")
    assert workspace.limits == DEFAULT_LIMITS
    assert workspace.retention.builds == Duration(seconds=90 * 86_400)
    assert workspace.retention.events == Duration() and workspace.retention.min_builds == 10


async def test_what_the_mask_names_is_changed_and_nothing_else(client: Client):
    before = await get(client)
    after = await update(
        client,
        "display_name",
        "target_roots",
        display_name="Search",
        description="not named in the mask",
        target_roots={"default": "s3://bucket/prefix"},
    )
    assert (after.display_name, after.description) == ("Search", "")
    assert dict(after.target_roots) == {"default": "s3://bucket/prefix"}
    assert after.etag != before.etag
    assert await get(client) == after


async def test_one_field_of_retention_or_limits_can_be_changed_alone(client: Client):
    day = Duration(seconds=86_400)
    await update(client, "retention.events", retention=Retention(events=day, min_builds=7))
    after = await update(client, "limits.max_streams", limits=WorkspaceLimits(max_streams=3))
    assert after.retention.events == day and after.retention.min_builds == 10
    assert after.limits.max_streams == 3
    assert after.limits.max_watches == DEFAULT_LIMITS.max_watches


async def test_what_is_unset_in_a_change_is_the_default_again(client: Client):
    before = await get(client)
    limits, retention = WorkspaceLimits(max_streams=3), Retention(builds=Duration())
    changed = await update(client, "limits", "retention", limits=limits, retention=retention)
    assert changed.retention.builds == Duration()
    after = await update(client, "limits.max_streams", "retention.builds")
    assert (after.limits, after.retention) == (before.limits, before.retention)


async def test_a_change_of_what_has_changed_meanwhile_is_refused(client: Client):
    etag = (await get(client)).etag
    newer = await update(client, "description", description="one", etag=etag)
    error = await refused(update(client, "description", description="two", etag=etag))
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert error.metadata == {"etag": newer.etag}
    assert (await get(client)).description == "one"


@pytest.mark.parametrize(
    ("paths", "fields", "at_fault"),
    [
        ((), {}, "update_mask"),
        (("name",), {}, "update_mask"),
        (("retention.nothing",), {}, "update_mask"),
        (("description",), {"name": "another"}, "workspace.name"),
        (("display_name",), {"display_name": "x" * 256}, "workspace.display_name"),
        (("description",), {"description": "a\0b"}, "workspace.description"),
        (("target_roots",), {"target_roots": {"": "/data"}}, "workspace.target_roots"),
        (("target_roots",), {"target_roots": {"a": "x" * 2_049}}, "workspace.target_roots"),
        (
            ("limits",),
            {"limits": WorkspaceLimits(max_streams=-1)},
            "workspace.limits.max_streams",
        ),
        (
            ("retention",),
            {"retention": Retention(events=Duration(seconds=3_599))},
            "workspace.retention.events",
        ),
        (
            ("retention",),
            {"retention": Retention(min_builds=10_001)},
            "workspace.retention.min_builds",
        ),
    ],
)
async def test_a_change_that_breaks_a_rule_is_refused(
    client: Client, paths: tuple[str, ...], fields: dict[str, Any], at_fault: str
):
    before = await get(client)
    error = await refused(update(client, *paths, **fields))
    assert (error.reason, error.fields) == ("REQUEST_INVALID", [at_fault])
    assert await get(client) == before


async def test_limits_are_changed_by_an_operator_alone(store: Store):
    service = WorkspaceService(store, RetentionPolicy(), Usage(store))
    let_in(Principal(await store.workspace(), "default", "local", frozenset({SCOPE_ADMIN})))
    for path, allowed in (("description", True), ("limits", False), ("limits.max_streams", False)):
        request = UpdateWorkspaceRequest(update_mask=FieldMask(paths=[path]))
        if allowed:
            await service.update_workspace(request)
        else:
            with pytest.raises(ScopeMissing):
                await service.update_workspace(request)


async def test_the_same_workspace_can_be_made_twice_and_another_of_its_name_not(client: Client):
    wanted = Workspace(name="search", description="d", limits=WorkspaceLimits(max_watches=5))
    made = await create(client, wanted)
    assert made.limits.max_watches == 5 and made.HasField("create_time")
    assert await create(client, wanted) == made
    error = await refused(create(client, Workspace(name="search")))
    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "WORKSPACE_EXISTS")
    assert error.metadata == {"workspace": "search"}


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a" * 64])
async def test_a_name_that_breaks_the_rule_is_refused(client: Client, name: str):
    error = await refused(create(client, Workspace(name=name)))
    assert error.fields == ["workspace.name"]


async def test_workspaces_are_listed_by_name_in_pages(client: Client):
    for name in ("search", "ads", "maps"):
        await create(client, Workspace(name=name))
    names: list[str] = []
    token = ""
    while True:
        request = ListWorkspacesRequest(page_size=2, page_token=token)
        page = await client.workspaces.ListWorkspaces(request, metadata=client.metadata)
        names += [workspace.name for workspace in page.workspaces]
        token = page.next_page_token
        if not token:
            break
    assert names == ["ads", "default", "maps", "search"]
