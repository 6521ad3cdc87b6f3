"""stardag.v1.AssetService."""

from collections.abc import AsyncIterator

from stardag.v1.asset_service_pb2 import (
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
from stardag_server.domain.refusals import NotImplementedHere
from stardag_server.store.store import Store


class AssetService:
    """Writes and reads rich outputs of tasks. The contract is in the proto file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put_asset(self, request: PutAssetRequest) -> PutAssetResponse:
        """Write one asset whose content is in the request."""
        raise NotImplementedHere("PutAsset")

    async def upload_asset(
        self, requests: AsyncIterator[UploadAssetRequest]
    ) -> UploadAssetResponse:
        """Write one asset whose content comes in chunks."""
        await anext(requests, None)
        raise NotImplementedHere("UploadAsset")

    async def get_asset(self, request: GetAssetRequest) -> GetAssetResponse:
        """Return an asset, with its content if that fits."""
        raise NotImplementedHere("GetAsset")

    def download_asset(self, request: DownloadAssetRequest) -> AsyncIterator[DownloadAssetResponse]:
        """Yield an asset, then its content in chunks."""
        raise NotImplementedHere("DownloadAsset")

    async def list_assets(self, request: ListAssetsRequest) -> ListAssetsResponse:
        """List the latest revision of assets."""
        raise NotImplementedHere("ListAssets")

    async def delete_asset(self, request: DeleteAssetRequest) -> DeleteAssetResponse:
        """Delete all revisions of an asset."""
        raise NotImplementedHere("DeleteAsset")
