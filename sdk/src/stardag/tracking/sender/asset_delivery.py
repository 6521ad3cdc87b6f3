"""Brings a stream's assets to the server, one after the other."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import grpc.aio

from stardag.tracking.connection import rpc
from stardag.tracking.connection.credential import CredentialError
from stardag.tracking.connection.tls import TlsError
from stardag.tracking.connection.verdict import Fault, Verdict, judge
from stardag.tracking.spool.asset_files import read_asset, refuse_asset, waiting_assets
from stardag.v1.asset_service_pb2 import AssetDraft, PutAssetRequest, UploadAssetRequest
from stardag.v1.asset_service_pb2_grpc import AssetServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from stardag.tracking.sender.uplink import Server
    from stardag.v1.asset_service_pb2_grpc import AssetServiceAsyncStub

_log = logging.getLogger(__name__)

_CALL_S = 60.0
_SLOWEST_BYTES_S = 64 << 10
"""Bytes a second with which a line is still in use."""
_INLINE_BYTES, _CHUNK_BYTES = 1 << 20, 256 << 10


async def deliver_assets(stream: Path, server: Server) -> Verdict | None:
    """Deliver what waits; return what is wrong if something is left.

    What the server will not take, and what is damaged, is put aside and does not hold up the
    rest. Raises `OSError` if the files can't be read.
    """
    waiting = waiting_assets(stream)
    if not waiting:
        return None
    try:
        metadata = grpc.aio.Metadata(*rpc.bearer(server.credential.read()))
        connection = rpc.aio_channel(server.address, server.credential.tls)
    except (CredentialError, TlsError) as error:
        return judge(error)
    async with connection as channel:
        stub = AssetServiceStub(channel)
        for path in waiting:
            verdict = await _deliver(stub, metadata, path)
            if verdict is None:
                path.unlink()
            elif verdict.fault is Fault.STREAM:
                _log.warning("%s is put aside: %s", path, verdict.message)
                refuse_asset(path)
            else:
                return verdict
    return None


async def _deliver(
    stub: AssetServiceAsyncStub, metadata: grpc.aio.Metadata, path: Path
) -> Verdict | None:
    try:
        data, content = await asyncio.to_thread(read_asset, path)
    except ValueError as error:
        return Verdict(Fault.STREAM, str(error))
    draft = AssetDraft.FromString(data)
    timeout = _CALL_S + len(content) / _SLOWEST_BYTES_S
    try:
        if len(content) <= _INLINE_BYTES:
            request = PutAssetRequest(draft=draft, content=content)
            await stub.PutAsset(request, metadata=metadata, timeout=timeout)
        else:
            await stub.UploadAsset(_requests(draft, content), metadata=metadata, timeout=timeout)
    except grpc.aio.AioRpcError as error:
        return judge(rpc.failure_of(error))
    return None


async def _requests(draft: AssetDraft, content: bytes) -> AsyncIterator[UploadAssetRequest]:
    yield UploadAssetRequest(draft=draft)
    for begin in range(0, len(content), _CHUNK_BYTES):
        yield UploadAssetRequest(chunk=content[begin : begin + _CHUNK_BYTES])
