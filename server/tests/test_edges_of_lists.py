"""What every list refuses and bounds in the same way, over a real socket."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message
from producer import Producer, task_id
from running_server import Client, Refused

from stardag.v1 import asset_service_pb2 as assets
from stardag.v1 import auth_service_pb2 as auth
from stardag.v1 import build_service_pb2 as builds
from stardag.v1 import event_service_pb2 as events
from stardag.v1 import lease_service_pb2 as leases
from stardag.v1 import registry_service_pb2 as registry
from stardag.v1 import workspace_service_pb2 as workspaces

BUILD = uuid4()
OF_BUILD: dict[str, Any] = {"build_id": str(BUILD)}

# Each list: how it is called, and the request that has nothing to complain about.
LISTS: dict[str, tuple[Callable[[Client], Any], Message]] = {
    "ListBuilds": (lambda client: client.builds.ListBuilds, builds.ListBuildsRequest()),
    "ListTaskStates": (
        lambda client: client.builds.ListTaskStates,
        builds.ListTaskStatesRequest(**OF_BUILD),
    ),
    "ListBuildFailures": (
        lambda client: client.builds.ListBuildFailures,
        builds.ListBuildFailuresRequest(**OF_BUILD),
    ),
    "ListBlockedTasks": (
        lambda client: client.builds.ListBlockedTasks,
        builds.ListBlockedTasksRequest(**OF_BUILD),
    ),
    "CompareBuilds": (
        lambda client: client.builds.CompareBuilds,
        builds.CompareBuildsRequest(**OF_BUILD, base_build_id=str(BUILD)),
    ),
    "ListTasks": (lambda client: client.registry.ListTasks, registry.ListTasksRequest()),
    "GetTaskHistory": (
        lambda client: client.registry.GetTaskHistory,
        registry.GetTaskHistoryRequest(task_id=str(task_id("a"))),
    ),
    "ListAssets": (lambda client: client.assets.ListAssets, assets.ListAssetsRequest()),
    "ListEvents": (lambda client: client.events.ListEvents, events.ListEventsRequest(**OF_BUILD)),
    "ListRejectedEvents": (
        lambda client: client.events.ListRejectedEvents,
        events.ListRejectedEventsRequest(),
    ),
    "ListKeys": (lambda client: client.auth.ListKeys, auth.ListKeysRequest()),
    "ListWorkspaces": (
        lambda client: client.workspaces.ListWorkspaces,
        workspaces.ListWorkspacesRequest(),
    ),
    "ListLeases": (lambda client: client.leases.ListLeases, leases.ListLeasesRequest()),
}
EDGES: dict[str, tuple[str, Any, str]] = {
    "a negative page size": ("page_size", -1, "REQUEST_INVALID"),
    "a damaged page token": ("page_token", "AAAA", "PAGE_TOKEN_INVALID"),
    "a filter that does not parse": ("filter", "name = ", "FILTER_INVALID"),
    "a filter of no such field": ("filter", 'nonsense = "x"', "FILTER_INVALID"),
    "a filter of over 4 KiB": ("filter", "name = " + "x" * 4_096, "FILTER_INVALID"),
    "a filter of over 32 comparisons": (
        "filter",
        " OR ".join(["name = x"] * 33),
        "FILTER_INVALID",
    ),
    "an order by no such field": ("order_by", "nonsense", "ORDER_INVALID"),
    "an id that is none": ("build_id", "nightly", "REQUEST_INVALID"),
    "a build there is not": ("build_id", str(uuid4()), "BUILD_NOT_FOUND"),
}


@pytest.fixture
async def filled(client: Client) -> Client:
    """A client of a server that has a build."""
    make = Producer(build=BUILD)
    await client.publish(make.open, [make.started(name="b"), *make.run("a"), make.completed()])
    return client


@pytest.mark.parametrize("name", LISTS)
async def test_each_list_refuses_what_no_list_takes(filled: Client, name: str):
    method, sound = LISTS[name]
    call = method(filled)
    await call(sound, metadata=filled.metadata)
    for edge, (field, value, reason) in EDGES.items():
        if field not in sound.DESCRIPTOR.fields_by_name:
            continue
        if name == "ListLeases" and reason == "BUILD_NOT_FOUND":
            continue  # leases are held for builds that nobody tracks, too
        request = type(sound).FromString(sound.SerializeToString())
        setattr(request, field, value)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(request, metadata=filled.metadata)
        refused = Refused.of(caught.value)
        assert refused.reason == reason, edge
        not_found = reason == "BUILD_NOT_FOUND"
        code = grpc.StatusCode.NOT_FOUND if not_found else grpc.StatusCode.INVALID_ARGUMENT
        assert refused.code == code, edge
        if reason == "REQUEST_INVALID":
            assert refused.fields == [field], edge


async def test_each_list_takes_every_order_that_it_says_it_does(filled: Client):
    taken: list[str] = []
    for name, (method, sound) in LISTS.items():
        if "order_by" not in sound.DESCRIPTOR.fields_by_name:
            continue
        request: Any = type(sound).FromString(sound.SerializeToString())
        request.order_by = "nonsense"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(filled)(request, metadata=filled.metadata)
        for order in Refused.of(caught.value).metadata["allowed"].split(", "):
            for direction in ("", " desc"):
                request.order_by = order.replace("<name>", "x") + direction
                await method(filled)(request, metadata=filled.metadata)
                taken.append(f"{name} {request.order_by}")
    assert {"ListTasks params.x desc", "ListBuilds name", "ListAssets size_bytes"} <= {*taken}


@pytest.mark.parametrize("name", LISTS)
async def test_a_page_size_above_the_maximum_is_the_maximum(filled: Client, name: str):
    method, sound = LISTS[name]
    request = type(sound).FromString(sound.SerializeToString())
    request.page_size = 2**31 - 1  # type: ignore[attr-defined]
    large = await method(filled)(request, metadata=filled.metadata)
    assert large == await method(filled)(sound, metadata=filled.metadata)
