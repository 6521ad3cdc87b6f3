"""Assets wait in files until the server has them, or will not take them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from stardag.assets import MarkdownAsset
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.tracking.connection.verdict import Fault
from stardag.tracking.sender.asset_delivery import deliver_assets
from stardag.tracking.sender.uplink import Server
from stardag.tracking.spool.asset_files import draft, read_asset, waiting_assets, write_asset
from stardag.tracking.stream import EventStream
from stardag.v1.asset_service_pb2 import AssetDraft, PutAssetRequest, PutAssetResponse

from .tasks import Step, build_id

NOTES = MarkdownAsset("notes", "# It runs", description="what happened")


def drafted(asset: MarkdownAsset = NOTES) -> bytes:
    return draft(build_id(), Step(1).id, asset, asset.content())


def stream(spool: Path, max_bytes: int = 1 << 20) -> EventStream:
    return EventStream(
        spool,
        client="c",
        host="h",
        address=None,
        traced=False,
        max_bytes=max_bytes,
        fsync="never",
    )


class AssetServer:
    """A real gRPC server that takes what it is told to take."""

    def __init__(self) -> None:
        self.taken: list[PutAssetRequest] = []
        self.refuse: dict[str, grpc.StatusCode] = {}
        self._grpc = grpc.server(ThreadPoolExecutor(2))
        put = grpc.unary_unary_rpc_method_handler(
            self._put,
            request_deserializer=PutAssetRequest.FromString,
            response_serializer=PutAssetResponse.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("stardag.v1.AssetService", {"PutAsset": put})
        self._grpc.add_generic_rpc_handlers((service,))
        port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self.server = Server(parse_address(f"127.0.0.1:{port}"), Credential())

    def stop(self) -> None:
        self._grpc.stop(0).wait()

    def _put(self, request: PutAssetRequest, context: grpc.ServicerContext) -> PutAssetResponse:
        if code := self.refuse.get(request.draft.name):
            context.abort(code, "no")
        self.taken.append(request)
        return PutAssetResponse()


@pytest.fixture
def assets() -> Iterator[AssetServer]:
    server = AssetServer()
    yield server
    server.stop()


def test_a_draft_says_what_the_generated_classes_read() -> None:
    build = build_id()
    read = AssetDraft.FromString(draft(build, Step(1).id, NOTES, NOTES.content()))
    assert (read.name, read.kind, read.description) == ("notes", 1, "what happened")
    assert (read.task_id, read.build_id) == (str(Step(1).id), str(build))
    assert len(read.sha256) == 64


def test_an_asset_is_kept_in_a_private_file(tmp_path: Path) -> None:
    events = stream(tmp_path)
    events.keep_asset(drafted(), NOTES.content())
    position = events.position()
    assert position is not None
    (path,) = waiting_assets(position.directory)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    _, content = read_asset(path)
    assert content == b"# It runs"


def test_assets_do_not_take_the_room_that_is_kept_for_the_ends_of_attempts(tmp_path: Path) -> None:
    events = stream(tmp_path, max_bytes=1000)
    with pytest.raises(OSError, match="share of the disk is used up"):
        events.keep_asset(drafted(), b"x" * 901)
    position = events.position()
    assert position is not None
    assert waiting_assets(position.directory) == []


async def test_what_is_delivered_is_removed(tmp_path: Path, assets: AssetServer) -> None:
    for number in (1, 2):
        write_asset(tmp_path, number, drafted(), b"version %d" % number)
    assert await deliver_assets(tmp_path, assets.server) is None
    assert [request.content for request in assets.taken] == [b"version 1", b"version 2"]
    assert waiting_assets(tmp_path) == []


async def test_what_the_server_will_not_take_is_put_aside(
    tmp_path: Path, assets: AssetServer
) -> None:
    assets.refuse["bad"] = grpc.StatusCode.INVALID_ARGUMENT
    write_asset(tmp_path, 1, drafted(MarkdownAsset("bad", "x")), b"x")
    write_asset(tmp_path, 2, drafted(), NOTES.content())
    (tmp_path / "assets" / "0000000003.asset").write_bytes(b"\0\0")
    assert await deliver_assets(tmp_path, assets.server) is None
    assert [request.draft.name for request in assets.taken] == ["notes"]
    refused = sorted(path.name for path in (tmp_path / "assets" / "refused").iterdir())
    assert refused == ["0000000001.asset", "0000000003.asset"]


async def test_what_can_not_be_delivered_now_stays(tmp_path: Path, assets: AssetServer) -> None:
    assets.refuse["notes"] = grpc.StatusCode.RESOURCE_EXHAUSTED
    write_asset(tmp_path, 1, drafted(), NOTES.content())
    verdict = await deliver_assets(tmp_path, assets.server)
    assert verdict is not None
    assert verdict.fault is Fault.SERVER
    assert len(waiting_assets(tmp_path)) == 1
