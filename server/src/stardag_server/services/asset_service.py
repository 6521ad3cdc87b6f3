"""stardag.v1.AssetService."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from operator import attrgetter

from stardag.v1.asset_pb2 import Asset
from stardag.v1.asset_service_pb2 import (
    AssetDraft,
    DeleteAssetRequest,
    DeleteAssetResponse,
    DownloadAssetRequest,
    DownloadAssetResponse,
    GetAssetRequest,
    GetAssetResponse,
    ListAssetsRequest,
    ListAssetsResponse,
    PutAssetRequest,
    PutAssetResponse,
    UploadAssetRequest,
    UploadAssetResponse,
)
from stardag_server.auth.principal import caller
from stardag_server.domain import limits
from stardag_server.domain.asset_content import ContentInvalid, check_content, media_type
from stardag_server.domain.filter_fields import ASSET_FIELDS
from stardag_server.domain.filters import parse
from stardag_server.domain.ids import parse_id
from stardag_server.domain.ordering import parse_order
from stardag_server.domain.pages import Paging
from stardag_server.domain.refusals import (
    AssetInvalid,
    AssetTooLarge,
    DigestMismatch,
    MessageTooLarge,
    RequestInvalid,
    StreamProtocol,
)
from stardag_server.domain.texts import checked_name, checked_text
from stardag_server.services.messages import asset_message
from stardag_server.store.assets import NewAsset
from stardag_server.store.listing import ASSET_ORDERS
from stardag_server.store.queries import AnyRow
from stardag_server.store.store import Store
from stardag_server.usage import Usage

_DEFAULT_ASSETS = 50
_MAX_INLINE_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class AssetService:
    """Writes and reads rich outputs of tasks. The contract is in the proto file."""

    def __init__(self, store: Store, usage: Usage) -> None:
        self._assets = store.assets
        self._listing = store.listing
        self._usage = usage

    async def put_asset(self, request: PutAssetRequest) -> PutAssetResponse:
        """Write one asset whose content is in the request."""
        if len(request.content) > _MAX_INLINE_BYTES:
            raise MessageTooLarge("bytes of content", _MAX_INLINE_BYTES, len(request.content))
        return PutAssetResponse(asset=await self._write(request.draft, request.content))

    async def upload_asset(
        self, requests: AsyncIterator[UploadAssetRequest]
    ) -> UploadAssetResponse:
        """Write one asset whose content comes in chunks."""
        first = await anext(requests, None)
        if first is None or not first.HasField("draft"):
            raise StreamProtocol("the first message of an upload must have `draft`")
        _check_draft(first.draft)
        content = bytearray()
        async for request in requests:
            if request.HasField("draft"):
                raise StreamProtocol("only the first message of an upload has `draft`")
            if len(request.chunk) > _MAX_INLINE_BYTES:
                raise MessageTooLarge("bytes of a chunk", _MAX_INLINE_BYTES, len(request.chunk))
            content += request.chunk
            if len(content) > limits.MAX_ASSET_BYTES:
                raise AssetTooLarge(limits.MAX_ASSET_BYTES)
        return UploadAssetResponse(asset=await self._write(first.draft, bytes(content)))

    async def get_asset(self, request: GetAssetRequest) -> GetAssetResponse:
        """Return an asset, with its content if that fits."""
        row = await self._find(request)
        content = b""
        if row.size <= _MAX_INLINE_BYTES:
            content = b"".join([part async for part in self._assets.content(row)])
        return GetAssetResponse(asset=asset_message(row), content=content)

    async def download_asset(
        self, request: DownloadAssetRequest
    ) -> AsyncIterator[DownloadAssetResponse]:
        """Yield an asset, then its content in chunks."""
        row = await self._find(request)
        if not 0 <= request.offset <= row.size:
            raise RequestInvalid.of("offset", f"must be 0 to {row.size}, the size of the content")
        yield DownloadAssetResponse(asset=asset_message(row))
        async for part in self._assets.content(row, request.offset):
            yield DownloadAssetResponse(chunk=part)

    async def list_assets(self, request: ListAssetsRequest) -> ListAssetsResponse:
        """List the latest revision of assets that match a filter."""
        asked = Paging(request, _DEFAULT_ASSETS)
        rows = await self._listing.assets(
            caller().workspace,
            asked.after,
            asked.limit,
            condition=parse(request.filter, ASSET_FIELDS),
            order=parse_order(request.order_by, ASSET_ORDERS),
        )
        assets, token = asked.page(rows, asset_message, attrgetter("id"))
        return ListAssetsResponse(assets=assets, next_page_token=token)

    async def delete_asset(self, request: DeleteAssetRequest) -> DeleteAssetResponse:
        """Delete all revisions of an asset."""
        task, name = parse_id("task_id", request.task_id), checked_name("name", request.name)
        await self._assets.delete(caller().workspace, task, name)
        return DeleteAssetResponse()

    async def _find(self, request: GetAssetRequest | DownloadAssetRequest) -> AnyRow:
        task, name = parse_id("task_id", request.task_id), checked_name("name", request.name)
        if request.revision < 0:
            raise RequestInvalid.of("revision", "must not be negative")
        return await self._assets.asset(caller().workspace, task, name, request.revision)

    async def _write(self, draft: AssetDraft, content: bytes) -> Asset:
        type = _check_draft(draft)
        if not content:
            raise RequestInvalid.of("content", "must not be empty")
        # What takes long must not keep other callers waiting.
        await asyncio.to_thread(_check_content, draft, type, content)
        new = NewAsset(
            task=parse_id("draft.task_id", draft.task_id),
            name=draft.name,
            kind=draft.kind,
            media_type=type,
            description=draft.description,
            build=parse_id("draft.build_id", draft.build_id) if draft.build_id else None,
            content=content,
        )
        workspace = caller().workspace
        most = self._usage.limits(workspace).max_asset_bytes
        return asset_message(await self._assets.put(workspace, new, most))


def _check_draft(draft: AssetDraft) -> str:
    """Return the media type of what is to be written. Raises RequestInvalid, AssetInvalid."""
    parse_id("draft.task_id", draft.task_id)
    checked_name("draft.name", draft.name)
    if draft.build_id:
        parse_id("draft.build_id", draft.build_id)
    checked_text("draft.description", draft.description, limits.MAX_ASSET_DESCRIPTION)
    if draft.sha256 and not _SHA256.fullmatch(draft.sha256):
        raise RequestInvalid.of("draft.sha256", "must be 64 lower-case hex digits, or empty")
    try:
        return media_type(draft.kind, draft.media_type)
    except ContentInvalid as error:
        raise AssetInvalid(draft.name, str(error)) from None


def _check_content(draft: AssetDraft, media_type: str, content: bytes) -> None:
    actual = hashlib.sha256(content).hexdigest()
    if draft.sha256 not in ("", actual):
        raise DigestMismatch(draft.sha256, actual)
    try:
        check_content(draft.kind, media_type, content)
    except ContentInvalid as error:
        raise AssetInvalid(draft.name, str(error)) from None
