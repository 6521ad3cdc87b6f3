"""What is true of calls of any method, over a real socket."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from running_server import Client

from stardag.v1.admin_service_pb2 import GetServerInfoRequest
from stardag.v1.asset_pb2 import ASSET_KIND_HTML
from stardag.v1.asset_service_pb2 import AssetDraft, PutAssetRequest
from stardag.v1.lease_service_pb2 import AcquireLeaseRequest, ListLeasesRequest


async def refusal(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_a_message_above_4_mib_is_refused_and_the_connection_lives(client: Client):
    draft = AssetDraft(task_id=str(uuid4()), name="a", kind=ASSET_KIND_HTML)
    large = PutAssetRequest(draft=draft, content=bytes(4 << 20))
    error = await refusal(client.assets.PutAsset(large, metadata=client.metadata))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    await client.admin.GetServerInfo(GetServerInfoRequest(), metadata=client.metadata)


async def test_a_method_that_no_version_has_is_not_implemented(client: Client):
    channel: Any = client.channel
    for path in ("/stardag.v1.AdminService/Fly", "/stardag.v9.AdminService/GetServerInfo"):
        error = await refusal(channel.unary_unary(path)(b"", metadata=client.metadata))
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_field_that_is_not_known_is_ignored(client: Client):
    request = GetServerInfoRequest.FromString(b"\xfa\x3f\x03new")
    assert request.ByteSize() == 6
    await client.admin.GetServerInfo(request, metadata=client.metadata)


async def test_who_waited_until_the_deadline_has_got_nothing(client: Client):
    minute: Any = timedelta(minutes=1)

    def acquire(**more: Any) -> Any:
        request = AcquireLeaseRequest(name="x", holder_id=str(uuid4()), ttl=minute, **more)
        timeout = 0.2 if more else 10
        return client.leases.AcquireLease(request, metadata=client.metadata, timeout=timeout)

    held = (await acquire()).lease
    error = await refusal(acquire(max_wait=minute))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    listed = await client.leases.ListLeases(ListLeasesRequest(), metadata=client.metadata)
    assert [lease.holder_id for lease in listed.leases] == [held.holder_id]
