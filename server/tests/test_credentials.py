"""Who is let in, as whom, and to what: every method with every kind of credential."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf.duration_pb2 import Duration
from producer import Producer
from running_server import Client, Refused, running
from sqlalchemy.ext.asyncio import create_async_engine
from test_transport import call_raw, contract_methods

from stardag.v1.auth_pb2 import (
    SCOPE_ADMIN,
    SCOPE_INGEST,
    SCOPE_OPERATOR,
    SCOPE_READ,
    Scope,
)
from stardag.v1.auth_service_pb2 import (
    CreateKeyRequest,
    CreateKeyResponse,
    GetCallerRequest,
    ListKeysRequest,
    RevokeKeyRequest,
)
from stardag.v1.build_service_pb2 import GetBuildRequest
from stardag.v1.event_service_pb2 import PublishEventsRequest, WatchBuildRequest
from stardag_server.auth import authenticator
from stardag_server.auth.issuing import Issuing
from stardag_server.auth.keys import KeyText
from stardag_server.domain.scopes import ACCESS, Access
from stardag_server.store.store import Store
from stardag_server.transport import open_calls

TOO_LITTLE: dict[Access, list[Scope.ValueType]] = {
    Access.INGEST: [SCOPE_READ],
    Access.READ: [SCOPE_INGEST],
    Access.ADMIN: [SCOPE_INGEST, SCOPE_READ],
    Access.OPERATOR: [SCOPE_ADMIN],
}
"""The most that does not suffice for a method that wants this."""


async def create(client: Client, *scopes: Scope.ValueType, **more: Any) -> CreateKeyResponse:
    request = CreateKeyRequest(display_name="a key", scopes=scopes, **more)
    return await client.auth.CreateKey(request, metadata=client.metadata)


async def refusal(call: Any) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return Refused.of(caught.value)


async def refused_everywhere(client: Client, key: str) -> None:
    for method in contract_methods():
        refused = await call_raw(client, method, b"", client.with_key(key).metadata)
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.UNAUTHENTICATED,
            "CREDENTIAL_INVALID",
        ), method
        assert key not in refused.message


async def test_a_key_is_shown_once_and_works(client: Client):
    made = await create(client, SCOPE_INGEST, SCOPE_READ)
    assert made.secret.startswith(f"sdk_{made.key.key_id}_")
    assert made.key.created_by == "local" and not made.key.HasField("expire_time")
    with_key = client.with_key(made.secret)
    told = await with_key.auth.GetCaller(GetCallerRequest(), metadata=with_key.metadata)
    assert (told.principal, told.workspace) == (f"key:{made.key.key_id}", "default")
    assert [*told.scopes] == [SCOPE_INGEST, SCOPE_READ]
    listed = await client.auth.ListKeys(ListKeysRequest(), metadata=client.metadata)
    assert [key.key_id for key in listed.keys] == [made.key.key_id]
    assert listed.keys[0].HasField("last_used_time")
    assert made.secret not in str(listed)


async def test_what_is_stored_of_a_key_is_not_what_it_is_used_with(
    client: Client, database_url: sa.URL
):
    made = await create(client, SCOPE_READ)
    store = Store(database_url)
    stored = await store.keys.find(made.key.key_id)
    await store.close()
    assert stored is not None and made.secret.encode() not in stored.hash
    assert made.secret.split("_")[2] not in repr(stored)
    text = KeyText.parse(made.secret)
    assert text is not None and text.secret not in repr(text)


@pytest.mark.parametrize("access", TOO_LITTLE)
async def test_a_key_with_too_little_is_refused_by_each_method(client: Client, access: Access):
    secret = (await create(client, *TOO_LITTLE[access])).secret
    for method in contract_methods():
        if ACCESS[method[0]] is access:
            refused = await call_raw(client, method, b"", client.with_key(secret).metadata)
            assert (refused.code, refused.reason, refused.metadata) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "SCOPE_MISSING",
                {"requiredScope": access.name},
            ), method


async def test_a_revoked_key_is_refused_everywhere_at_once(client: Client):
    made = await create(client, SCOPE_OPERATOR)
    with_key = client.with_key(made.secret)
    await with_key.auth.GetCaller(GetCallerRequest(), metadata=with_key.metadata)
    request = RevokeKeyRequest(key_id=made.key.key_id)
    ended = await client.auth.RevokeKey(request, metadata=client.metadata)
    assert ended.key.HasField("revoke_time")
    assert await client.auth.RevokeKey(request, metadata=client.metadata) == ended
    await refused_everywhere(client, made.secret)


async def test_an_expired_key_is_refused_everywhere(
    client: Client, database_url: sa.URL, tmp_path: Path
):
    pepper = (tmp_path / "data" / "pepper").read_text().strip()
    store = Store(database_url)
    issuing = Issuing(store.keys, pepper)
    _, used = await issuing.create(1, "used", [SCOPE_OPERATOR], "test", ttl=500_000)
    _, unused = await issuing.create(1, "unused", [SCOPE_OPERATOR], "test", ttl=1)
    await store.close()
    with_key = client.with_key(used)
    await with_key.auth.GetCaller(GetCallerRequest(), metadata=with_key.metadata)
    await asyncio.sleep(0.6)
    for key in (used, unused):
        await refused_everywhere(client, key)


@pytest.mark.parametrize("damaged", ["{key:.90}", "{key}0", "SDK_{key:.4}{key}"])
async def test_a_damaged_key_is_refused(client: Client, damaged: str):
    key = (await create(client, SCOPE_READ)).secret
    with_key = Client(client.channel, (("authorization", f"Bearer {damaged.format(key=key)}"),))
    refused = await refusal(with_key.auth.GetCaller(GetCallerRequest(), metadata=with_key.metadata))
    assert refused.reason == "CREDENTIAL_INVALID"


async def test_another_secret_with_the_id_of_a_key_is_refused(client: Client):
    made = await create(client, SCOPE_READ)
    forged = KeyText(made.key.key_id, KeyText.new().secret).reveal()
    await refused_everywhere(client, forged)


async def test_nobody_makes_a_key_that_may_more_than_oneself(client: Client):
    admin = client.with_key((await create(client, SCOPE_ADMIN)).secret)
    assert (await create(admin, SCOPE_ADMIN, SCOPE_READ, SCOPE_INGEST)).secret
    refused = await refusal(create(admin, SCOPE_OPERATOR))
    assert (refused.reason, refused.metadata) == ("SCOPE_MISSING", {"requiredScope": "OPERATOR"})


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": [0]}, "scopes[0]"),
        ({"scopes": [99]}, "scopes[0]"),
        ({"display_name": ""}, "display_name"),
        ({"display_name": "n" * 256}, "display_name"),
        ({"ttl": Duration(seconds=59)}, "ttl"),
        ({"ttl": Duration(seconds=-1)}, "ttl"),
    ],
)
async def test_a_senseless_key_is_refused(client: Client, more: dict[str, Any], field: str):
    given: dict[str, Any] = {"display_name": "n", "scopes": [SCOPE_READ], **more}
    request = CreateKeyRequest(**given)
    refused = await refusal(client.auth.CreateKey(request, metadata=client.metadata))
    assert (refused.reason, refused.fields) == ("REQUEST_INVALID", [field])
    listed = await client.auth.ListKeys(ListKeysRequest(), metadata=client.metadata)
    assert not listed.keys


async def test_a_workspace_that_is_not_there_has_no_keys(client: Client):
    refused = await refusal(create(client, SCOPE_READ, workspace="elsewhere"))
    assert refused.reason == "WORKSPACE_NOT_FOUND"
    admin = client.with_key((await create(client, SCOPE_ADMIN)).secret)
    assert (await refusal(create(admin, SCOPE_READ, workspace="elsewhere"))).reason == (
        "SCOPE_MISSING"
    )


async def test_keys_come_in_pages_and_ended_ones_when_asked_for(client: Client):
    made = [await create(client, SCOPE_READ) for _ in range(5)]
    ids = [response.key.key_id for response in reversed(made)]
    await client.auth.RevokeKey(RevokeKeyRequest(key_id=ids[1]), metadata=client.metadata)

    async def listed(show_ended: bool) -> Sequence[str]:
        request, found = ListKeysRequest(page_size=2, show_ended=show_ended), list[str]()
        while True:
            page = await client.auth.ListKeys(request, metadata=client.metadata)
            found += [key.key_id for key in page.keys]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    assert await listed(True) == ids
    assert await listed(False) == [ids[0], *ids[2:]]


async def test_a_key_that_is_not_there_is_not_revoked(client: Client):
    refused = await refusal(
        client.auth.RevokeKey(RevokeKeyRequest(key_id="none"), metadata=client.metadata)
    )
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "KEY_NOT_FOUND")


async def test_a_key_revoked_again_stays_as_it_was(client: Client):
    made = await create(client, SCOPE_READ)
    request = RevokeKeyRequest(key_id=made.key.key_id)
    first = await client.auth.RevokeKey(request, metadata=client.metadata)
    assert first.key.HasField("revoke_time")
    assert await client.auth.RevokeKey(request, metadata=client.metadata) == first


async def test_a_key_too_many_is_refused_until_another_ends(client: Client, database_url: sa.URL):
    made = await create(client, SCOPE_READ)
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO api_keys (workspace_id, key_id, hash, display_name, scopes, created_by,"
            " create_time) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
            " i < 999) SELECT workspace_id, 'k' || i, hash, '', scopes, '', 1 FROM n, api_keys"
        )
    await engine.dispose()
    refused = await refusal(create(client, SCOPE_READ))
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "QUOTA_EXCEEDED",
    )
    assert refused.metadata == {"quota": "keys", "limit": "1000"}
    assert refused.quotas == ["workspace"]
    ended = RevokeKeyRequest(key_id=made.key.key_id)
    await client.auth.RevokeKey(ended, metadata=client.metadata)
    await create(client, SCOPE_READ)


async def test_streams_end_when_their_key_is_revoked(
    database_url: sa.URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(open_calls, "_INTERVAL", 0.1)
    make = Producer()
    async with running(database_url, tmp_path / "data") as server, server.client() as client:
        made = await create(client, SCOPE_INGEST, SCOPE_READ)
        with_key = client.with_key(made.secret)
        stream: Any = with_key.events.PublishEvents(metadata=with_key.metadata)
        await stream.write(
            PublishEventsRequest(open=make.open, first_sequence=1, events=[make.started()])
        )
        await stream.read()
        await stream.read()
        watch, untouched = [await watching(each, make) for each in (with_key, client)]
        revocation = RevokeKeyRequest(key_id=made.key.key_id)
        await client.auth.RevokeKey(revocation, metadata=client.metadata)
        for call in (stream, watch):
            refused = await refusal(_to_the_end(call))
            assert (refused.code, refused.reason) == (
                grpc.StatusCode.UNAUTHENTICATED,
                "CREDENTIAL_INVALID",
            )
        await client.publish(make.open, [make.completed()], first=2)
        await _to_the_end(untouched)


async def watching(client: Client, make: Producer) -> Any:
    request = WatchBuildRequest(build_id=make.build_id)
    call = client.events.WatchBuild(request, metadata=client.metadata)
    await call.read()
    return call


async def _to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_a_revocation_holds_on_another_replica(
    database_url: sa.URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):

    monkeypatch.setattr(authenticator, "_TRUSTED", 0.2)
    async with (
        running(database_url, tmp_path / "data") as one,
        running(database_url, tmp_path / "data") as two,
        one.client() as client,
        two.client() as other,
    ):
        made = await create(client, SCOPE_READ)
        with_key = other.with_key(made.secret)
        await with_key.auth.GetCaller(GetCallerRequest(), metadata=with_key.metadata)
        await client.auth.RevokeKey(
            RevokeKeyRequest(key_id=made.key.key_id), metadata=client.metadata
        )
        await asyncio.sleep(0.3)
        refused = await refusal(
            with_key.builds.GetBuild(
                GetBuildRequest(build_id=Producer().build_id), metadata=with_key.metadata
            )
        )
        assert refused.reason == "CREDENTIAL_INVALID"
