"""Assets, over a real socket and on both databases."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from producer import task_id
from running_server import Client, Refused, RunningServer

from stardag.v1.asset_pb2 import (
    ASSET_KIND_HTML,
    ASSET_KIND_IMAGE,
    ASSET_KIND_JSON,
    ASSET_KIND_MARKDOWN,
    ASSET_KIND_TABLE,
    ASSET_KIND_UNSPECIFIED,
    Asset,
)
from stardag.v1.asset_service_pb2 import (
    AssetDraft,
    DeleteAssetRequest,
    DownloadAssetRequest,
    GetAssetRequest,
    GetAssetResponse,
    ListAssetsRequest,
    PutAssetRequest,
    UploadAssetRequest,
)

TASK = str(task_id("t"))
MIB = 1 << 20
PNG = b"\x89PNG\r\n\x1a\n rest"


def draft(name: str = "report", **more: Any) -> AssetDraft:
    fields: dict[str, Any] = {"task_id": TASK, "kind": ASSET_KIND_MARKDOWN, **more}
    return AssetDraft(name=name, **fields)


async def put(client: Client, content: bytes, name: str = "report", **more: Any) -> Asset:
    request = PutAssetRequest(draft=draft(name, **more), content=content)
    return (await client.assets.PutAsset(request, metadata=client.metadata)).asset


async def get(client: Client, name: str = "report", revision: int = 0) -> GetAssetResponse:
    request = GetAssetRequest(task_id=TASK, name=name, revision=revision)
    return await client.assets.GetAsset(request, metadata=client.metadata)


async def upload(client: Client, *messages: UploadAssetRequest) -> Asset:
    response = await client.assets.UploadAsset(iter(messages), metadata=client.metadata)
    return response.asset


def chunks(content: bytes, size: int = MIB) -> Iterator[UploadAssetRequest]:
    for begin in range(0, len(content), size):
        yield UploadAssetRequest(chunk=content[begin : begin + size])


async def download(client: Client, name: str, offset: int = 0) -> tuple[Asset, bytes]:
    request = DownloadAssetRequest(task_id=TASK, name=name, offset=offset)
    call = client.assets.DownloadAsset(request, metadata=client.metadata)
    first, *rest = [response async for response in call]
    assert first.HasField("asset") and not first.chunk
    assert all(not response.HasField("asset") for response in rest)
    return first.asset, b"".join(response.chunk for response in rest)


async def refusal(call: Any) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return Refused.of(caught.value)


async def test_an_asset_is_read_as_it_was_written(client: Client):
    build = str(uuid4())
    written = await put(client, b"# Title", description="what it is", build_id=build)
    assert (written.revision, written.size_bytes) == (1, 7)
    assert written.media_type == "text/markdown"
    assert written.sha256 == hashlib.sha256(b"# Title").hexdigest()
    assert (written.build_id, written.description) == (build, "what it is")
    found = await get(client)
    assert (found.asset, found.content) == (written, b"# Title")


async def test_to_write_the_same_again_changes_nothing(client: Client):
    first = await put(client, b"x")
    assert await put(client, b"x") == first
    assert (await put(client, b"x", description="new")).revision == 2


async def test_each_revision_can_be_read(client: Client):
    for content in (b"one", b"two", b"three"):
        await put(client, content)
    assert (await get(client)).content == b"three"
    assert (await get(client, revision=1)).content == b"one"
    refused = await refusal(get(client, revision=4))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "ASSET_NOT_FOUND")
    assert refused.metadata == {"taskId": TASK, "name": "report", "revision": "4"}


async def test_many_who_write_at_once_each_make_a_revision(server: RunningServer):
    async with server.client() as client:
        written = await asyncio.gather(*(put(client, str(n).encode()) for n in range(10)))
    assert sorted(asset.revision for asset in written) == [*range(1, 11)]


async def test_what_is_large_travels_in_chunks(client: Client):
    content = PNG + b"".join(number.to_bytes(4) for number in range(400_000))
    about = draft("image", kind=ASSET_KIND_IMAGE, media_type="image/png")
    about.sha256 = hashlib.sha256(content).hexdigest()
    asset = await upload(client, UploadAssetRequest(draft=about), *chunks(content))
    assert asset.size_bytes == len(content)
    found = await get(client, "image")
    assert (found.asset, found.content) == (asset, b"")
    for offset in (0, 1, 256 << 10, MIB + 7, len(content)):
        assert await download(client, "image", offset) == (asset, content[offset:])
    refused = await refusal(download(client, "image", len(content) + 1))
    assert refused.fields == ["offset"]


async def test_an_upload_that_breaks_off_leaves_nothing(client: Client):
    first = UploadAssetRequest(draft=draft())
    wrong = UploadAssetRequest(draft=draft(sha256="0" * 64))
    chunk = UploadAssetRequest(chunk=b"x")
    for messages, reason in (
        ([chunk], "STREAM_PROTOCOL"),
        ([first, chunk, first], "STREAM_PROTOCOL"),
        ([wrong, chunk], "DIGEST_MISMATCH"),
        ([first], "REQUEST_INVALID"),
        ([first, UploadAssetRequest(chunk=b"x" * (MIB + 1))], "MESSAGE_TOO_LARGE"),
        ([first, *chunks(b"x" * (65 * MIB))], "ASSET_TOO_LARGE"),
    ):
        assert (await refusal(upload(client, *messages))).reason == reason
    assert (await refusal(get(client))).reason == "ASSET_NOT_FOUND"


TABLE = {"columns": ["a", "b"], "rows": [[1, "x"], [None, True]]}


@pytest.mark.parametrize(
    ("kind", "media_type", "content"),
    [
        (ASSET_KIND_MARKDOWN, "", "# Überschrift".encode()),
        (ASSET_KIND_HTML, "text/html", b"<p>hello"),
        (ASSET_KIND_JSON, "", b'{"a": [1, 2.5e3, "]]]"]}'),
        (ASSET_KIND_JSON, "", b"[" * 64 + b"]" * 64),
        (ASSET_KIND_TABLE, "", json.dumps(TABLE).encode()),
        (ASSET_KIND_TABLE, "", b'{"columns": [], "rows": []}'),
        (ASSET_KIND_IMAGE, "image/png", PNG),
        (ASSET_KIND_IMAGE, "image/webp", b"RIFF\x00\x00\x00\x00WEBPVP8 "),
    ],
)
async def test_what_is_of_its_kind_is_taken(
    client: Client, kind: int, media_type: str, content: bytes
):
    await put(client, content, kind=kind, media_type=media_type)
    assert (await get(client)).content == content


@pytest.mark.parametrize(
    ("kind", "media_type", "content", "problem"),
    [
        (ASSET_KIND_UNSPECIFIED, "", b"x", "kind must be"),
        (99, "", b"x", "kind must be"),
        (ASSET_KIND_MARKDOWN, "text/html", b"x", "is text/markdown"),
        (ASSET_KIND_MARKDOWN, "", b"ab\xff", "not UTF-8, at byte 2"),
        (ASSET_KIND_JSON, "", b"{", "not JSON"),
        (ASSET_KIND_JSON, "", b"[NaN]", "NaN"),
        (ASSET_KIND_JSON, "", b"[" * 65 + b"]" * 65, "64 levels"),
        (ASSET_KIND_JSON, "", b"[" * 100_000, "64 levels"),
        (ASSET_KIND_JSON, "", b'"' + b'\\"' * 500_000, "not JSON"),
        (ASSET_KIND_TABLE, "", b"[]", "object"),
        (ASSET_KIND_TABLE, "", b'{"columns": ["a"], "rows": [[1, 2]]}', "row 0"),
        (ASSET_KIND_TABLE, "", b'{"columns": ["a"], "rows": [[1], [[]]]}', "row 1"),
        (ASSET_KIND_TABLE, "", b'{"columns": [1], "rows": []}', "columns"),
        (ASSET_KIND_IMAGE, "", PNG, "media_type of an image"),
        (ASSET_KIND_IMAGE, "image/svg+xml", b"<svg/>", "media_type of an image"),
        (ASSET_KIND_IMAGE, "image/jpeg", PNG, "does not begin"),
    ],
)
async def test_what_is_not_of_its_kind_is_refused(
    client: Client, kind: int, media_type: str, content: bytes, problem: str
):
    refused = await refusal(put(client, content, kind=kind, media_type=media_type))
    assert refused.reason == "ASSET_INVALID" and problem in refused.message
    assert (await refusal(get(client))).reason == "ASSET_NOT_FOUND"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"task_id": "t"}, "draft.task_id"),
        ({"name": ""}, "draft.name"),
        ({"name": "n" * 256}, "draft.name"),
        ({"build_id": "b"}, "draft.build_id"),
        ({"description": "d" * 1_025}, "draft.description"),
        ({"sha256": "F" * 64}, "draft.sha256"),
        ({"sha256": "0" * 63}, "draft.sha256"),
    ],
)
async def test_what_breaks_a_rule_names_its_field(
    client: Client, fields: dict[str, Any], field: str
):
    refused = await refusal(put(client, b"x", **fields))
    assert (refused.reason, refused.fields) == ("REQUEST_INVALID", [field])


async def test_more_than_a_message_may_have_is_refused(client: Client):
    refused = await refusal(put(client, b"x" * (MIB + 1)))
    assert (refused.reason, refused.metadata["limit"]) == ("MESSAGE_TOO_LARGE", str(MIB))


async def test_the_latest_revisions_are_listed_the_newest_first(client: Client):
    for name in ("a", "b", "c", "a"):
        await put(client, name.encode() + str(uuid4()).encode(), name)
    names: list[tuple[str, int]] = []
    request = ListAssetsRequest(page_size=2)
    while True:
        page = await client.assets.ListAssets(request, metadata=client.metadata)
        names += [(asset.name, asset.revision) for asset in page.assets]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert names == [("a", 2), ("c", 1), ("b", 1)]


async def test_a_deleted_asset_is_gone_with_all_revisions(client: Client):
    for content in (b"1", b"2"):
        await put(client, content)
    await put(client, b"other", "other")
    request = DeleteAssetRequest(task_id=TASK, name="report")
    for _ in range(2):
        await client.assets.DeleteAsset(request, metadata=client.metadata)
    for revision in (0, 1, 2):
        assert (await refusal(get(client, revision=revision))).reason == "ASSET_NOT_FOUND"
    assert (await get(client, "other")).content == b"other"


async def test_a_digest_that_is_not_that_of_the_content_is_told(client: Client):
    actual = hashlib.sha256(b"x").hexdigest()
    await put(client, b"x", sha256=actual)
    refused = await refusal(put(client, b"y", sha256=actual))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "DIGEST_MISMATCH")
    assert refused.metadata["expectedSha256"] == actual
    assert (await get(client)).asset.revision == 1


WRONG: list[tuple[Any, str]] = [
    (GetAssetRequest(task_id="t", name="a"), "task_id"),
    (GetAssetRequest(task_id=TASK), "name"),
    (GetAssetRequest(task_id=TASK, name="a", revision=-1), "revision"),
    (DownloadAssetRequest(task_id="t", name="a"), "task_id"),
    (DownloadAssetRequest(task_id=TASK, name="report", revision=-1), "revision"),
    (DownloadAssetRequest(task_id=TASK, name="report", offset=-1), "offset"),
    (DownloadAssetRequest(task_id=TASK, name="report", offset=2), "offset"),
    (DeleteAssetRequest(task_id="t", name="a"), "task_id"),
    (DeleteAssetRequest(task_id=TASK, name="n" * 256), "name"),
    (PutAssetRequest(draft=draft()), "content"),
]


async def test_each_method_names_the_field_that_breaks_a_rule(client: Client):
    await put(client, b"x")
    for request, field in WRONG:
        refused = await refused_by(client, request)
        assert (refused.reason, refused.fields) == ("REQUEST_INVALID", [field])
    assert (await get(client)).asset.revision == 1


async def test_what_is_not_there_is_not_found(client: Client):
    for kind in (GetAssetRequest, DownloadAssetRequest):
        refused = await refused_by(client, kind(task_id=TASK, name="report"))
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "ASSET_NOT_FOUND")
        assert refused.metadata == {"taskId": TASK, "name": "report", "revision": "0"}


async def refused_by(client: Client, request: Any) -> Refused:
    """Call the method of a request; return how it is refused."""
    method = getattr(client.assets, type(request).__name__.removesuffix("Request"))
    call = method(request, metadata=client.metadata)
    return await refusal(call if isinstance(call, Awaitable) else anext(aiter(call)))


async def test_an_upload_that_its_client_leaves_is_not_kept(client: Client):
    async def half() -> AsyncIterator[UploadAssetRequest]:
        yield UploadAssetRequest(draft=draft())
        yield UploadAssetRequest(chunk=b"x")
        raise ConnectionError("the client is gone")

    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await client.assets.UploadAsset(half(), metadata=client.metadata)
    assert (await refusal(get(client))).reason == "ASSET_NOT_FOUND"
