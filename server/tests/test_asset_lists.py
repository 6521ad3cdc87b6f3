"""Assets listed by a filter and in an order, over a real socket and on both databases."""

from typing import Any

import grpc
import pytest
from producer import task_id
from running_server import Client, Refused

from stardag.v1.asset_pb2 import ASSET_KIND_JSON, ASSET_KIND_MARKDOWN
from stardag.v1.asset_service_pb2 import (
    AssetDraft,
    DeleteAssetRequest,
    ListAssetsRequest,
    PutAssetRequest,
)

BUILD = "0199d3a2-5b1c-7cc1-9a04-2f6d3c1e8b70"


@pytest.fixture
async def filled(client: Client) -> Client:
    """A client of a server that has some assets."""
    for task, name, kind, content, build in (
        ("a", "report", ASSET_KIND_MARKDOWN, b"# old and long", ""),
        ("a", "metrics", ASSET_KIND_JSON, b"[1, 2, 3]", BUILD),
        ("b", "report", ASSET_KIND_MARKDOWN, b"# b", BUILD),
        ("a", "report", ASSET_KIND_MARKDOWN, b"# new", ""),
    ):
        draft = AssetDraft(task_id=str(task_id(task)), name=name, kind=kind, build_id=build)
        request = PutAssetRequest(draft=draft, content=content)
        await client.assets.PutAsset(request, metadata=client.metadata)
    return client


async def assets(client: Client, **fields: Any) -> list[str]:
    """Return name and size of all assets that are listed, over all pages."""
    found: list[str] = []
    request = ListAssetsRequest(**fields)
    while True:
        response = await client.assets.ListAssets(request, metadata=client.metadata)
        found += [f"{asset.name} {asset.size_bytes}" for asset in response.assets]
        if not response.next_page_token:
            return found
        request.page_token = response.next_page_token


async def test_a_filter_is_about_latest_revisions(filled: Client):
    assert await assets(filled) == ["report 5", "report 3", "metrics 9"]
    assert await assets(filled, filter="name = report") == ["report 5", "report 3"]
    assert await assets(filled, filter=f'task_id = "{task_id("a")}"') == ["report 5", "metrics 9"]
    assert await assets(filled, filter=f'build_id = "{BUILD}"') == ["report 3", "metrics 9"]
    assert await assets(filled, filter=f'NOT build_id = "{BUILD}"') == ["report 5"]
    assert await assets(filled, filter="kind = JSON") == ["metrics 9"]
    assert await assets(filled, filter='media_type : "json"') == ["metrics 9"]
    assert await assets(filled, filter='name ~ "^met"') == ["metrics 9"]
    assert await assets(filled, filter="size_bytes < 9") == ["report 5", "report 3"]
    assert await assets(filled, filter='create_time > "2000-01-01T00:00:00Z"') == [
        "report 5",
        "report 3",
        "metrics 9",
    ]


async def test_an_order_goes_over_pages(filled: Client):
    for size in (1, 2, 50):
        by_size = await assets(filled, order_by="size_bytes desc", page_size=size)
        assert by_size == ["metrics 9", "report 5", "report 3"]
        by_name = await assets(filled, order_by="name", page_size=size)
        assert by_name == ["metrics 9", "report 5", "report 3"]
        by_time = await assets(filled, order_by="create_time", page_size=size)
        assert by_time == ["metrics 9", "report 3", "report 5"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"filter": "status = FAILED"}, "FILTER_INVALID"),
        ({"filter": "kind = SVG"}, "FILTER_INVALID"),
        ({"filter": "size_bytes = big"}, "FILTER_INVALID"),
        ({"order_by": "kind"}, "ORDER_INVALID"),
        ({"page_token": "x"}, "PAGE_TOKEN_INVALID"),
        ({"page_size": -1}, "REQUEST_INVALID"),
    ],
)
async def test_what_can_not_be_listed_is_refused(
    client: Client, fields: dict[str, Any], reason: str
):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await assets(client, **fields)
    refused = Refused.of(caught.value)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_a_token_belongs_to_its_filter_and_order(filled: Client):
    request = ListAssetsRequest(page_size=1, order_by="name")
    first = await filled.assets.ListAssets(request, metadata=filled.metadata)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await assets(filled, page_token=first.next_page_token, filter="name = report")
    assert Refused.of(caught.value).reason == "PAGE_TOKEN_INVALID"


async def test_a_list_whose_last_row_was_deleted_goes_on_or_says_that_it_can_not(filled: Client):
    request = ListAssetsRequest(page_size=1)
    first = await filled.assets.ListAssets(request, metadata=filled.metadata)
    ordered = ListAssetsRequest(page_size=1, order_by="size_bytes")
    other = await filled.assets.ListAssets(ordered, metadata=filled.metadata)
    for task in ("a", "b"):
        gone = DeleteAssetRequest(task_id=str(task_id(task)), name="report")
        await filled.assets.DeleteAsset(gone, metadata=filled.metadata)
    token = first.next_page_token
    assert await assets(filled, page_size=1, page_token=token) == ["metrics 9"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await assets(filled, page_size=1, order_by="size_bytes", page_token=other.next_page_token)
    refused = Refused.of(caught.value)
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "PAGE_TOKEN_INVALID",
    )
