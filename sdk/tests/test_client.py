"""Reading what a server knows, over a real connection to a real server."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from pydantic import SecretStr

from stardag import ConfigError
from stardag.client import (
    AsyncClient,
    Client,
    NotFoundError,
    ServerError,
    UnauthenticatedError,
    UnreachableError,
    connect,
    connect_aio,
    rows,
    watch,
)
from stardag.client._watches import Place
from stardag.config import Config, ServerConfig
from stardag.tracking import events
from stardag.tracking.connection.address import parse_address
from stardag.tracking.connection.credential import Credential
from stardag.tracking.connection.rpc import RpcFailure
from stardag.tracking.spool import frames
from stardag.v1 import build_service_pb2, event_service_pb2
from stardag.v1.asset_pb2 import ASSET_KIND_MARKDOWN
from stardag.v1.asset_service_pb2 import AssetDraft, UploadAssetRequest
from stardag.v1.build_pb2 import BUILD_STATUS_COMPLETED, BUILD_STATUS_RUNNING
from stardag.v1.event_pb2 import Event, NewEvent
from stardag.v1.task_pb2 import TASK_STATUS_COMPLETED


class Server:
    """A `stardag-server` on SQLite that can be stopped and started again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    @property
    def config(self) -> Config:
        token_file = self.directory / "token"
        return Config(server=ServerConfig(address=f"127.0.0.1:{self.port}", token_file=token_file))

    def start(self) -> None:
        command = [sys.executable, "-m", "stardag_server", "--data-dir", str(self.directory)]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), "--http-port", "off"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                self.port = int(found.group(1))
                return
        raise AssertionError("the server did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.communicate(timeout=20)
            self.process = None


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    own = Server(tmp_path / "server")
    own.start()
    yield own
    own.stop()


def publish(
    client: Client,
    build: uuid.UUID,
    kinds: Sequence[tuple[uuid.UUID | None, int]],
    *,
    after: int = 0,
) -> None:
    """Publish one event of each kind, of a stream named like the build."""
    bodies = [
        events.event(build.bytes, task.bytes if task else b"", kind, 1 if task else 0)
        for task, kind in kinds
    ]
    client.events.PublishEventBatch(
        event_service_pb2.PublishEventBatchRequest(
            stream=event_service_pb2.OpenEventStream(stream_id=str(build), client="test/1"),
            first_sequence=after + 1,
            events=[NewEvent.FromString(frames.event(body)) for body in bodies],
        )
    )


def publish_build(client: Client, tasks: int) -> str:
    build = uuid.uuid4()
    kinds: list[tuple[uuid.UUID | None, int]] = [(None, events.BUILD_STARTED)]
    for _ in range(tasks):
        task = uuid.uuid4()
        kinds += [(task, events.TASK_STARTED), (task, events.TASK_COMPLETED)]
    publish(client, build, [*kinds, (None, events.BUILD_ENDED["completed"])])
    return str(build)


def test_builds_and_their_tasks_are_read_over_any_number_of_pages(shared_server: Server) -> None:
    with connect(shared_server.config) as client:
        builds = [publish_build(client, 1) for _ in range(55)]
        listed = [build.build_id for build in client.list_builds()]
        assert listed[: len(builds)] == builds[::-1]
        large = publish_build(client, 1203)
        states = list(client.list_task_states(large))
        assert len({state.task_id for state in states}) == 1203
        assert list(client.list_builds([BUILD_STATUS_RUNNING])) == []
        assert len(list(client.list_task_states(large, [TASK_STATUS_COMPLETED]))) == 1203


def test_asyncio_has_every_method_that_threads_have() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in dir(kind) if not name.startswith("_")}

    assert public(AsyncClient) == public(Client)


async def test_asyncio_reads_the_same(shared_server: Server) -> None:
    with connect(shared_server.config) as client:
        build = publish_build(client, 3)
        expected = [one.build_id for one in client.list_builds()]
    async with connect_aio(shared_server.config) as aio:
        assert [one.build_id async for one in aio.list_builds()] == expected
        states = [state async for state in aio.list_task_states(build)]
        assert len(states) == 3
        assert (await aio.get_task(states[0].task_id)).task_id == states[0].task_id
        watched = [response async for response in aio.watch_build(build)]
        assert watched[-1].build.status == BUILD_STATUS_COMPLETED
        with pytest.raises(NotFoundError):
            await aio.get_task(UNKNOWN)
        with pytest.raises(NotFoundError):
            async for _ in aio.watch_build(UNKNOWN):
                pass


async def test_the_rows_of_any_list_are_read_however_small_its_pages(
    shared_server: Server,
) -> None:
    with connect(shared_server.config) as client:
        build = publish_build(client, 3)
        request = event_service_pb2.ListEventsRequest(build_id=build, page_size=2)
        log = list(rows(client.events.ListEvents, request, lambda page: page.events))
        assert [event.position for event in log] == list(range(1, 9))
        assert request.page_token == ""  # the caller's stays as it is
        half = build_service_pb2.ListBlockedTasksRequest(build_id=build)
        assert list(rows(client.builds.ListBlockedTasks, half, lambda page: page.tasks)) == []
        request.filter = "nothing = 1"
        with pytest.raises(ServerError) as caught:
            next(rows(client.events.ListEvents, request, lambda page: page.events))
        assert caught.value.reason == "FILTER_INVALID"
    async with connect_aio(shared_server.config) as aio:
        request.filter = ""
        again = rows(aio.events.ListEvents, request, lambda page: page.events)
        assert [event async for event in again] == log


UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_an_unknown_id_is_not_found(shared_server: Server) -> None:
    with connect(shared_server.config) as client:
        with pytest.raises(NotFoundError) as caught:
            client.builds.GetBuild(build_service_pb2.GetBuildRequest(build_id=UNKNOWN))
        assert caught.value.reason == "BUILD_NOT_FOUND"
        assert caught.value.code is grpc.StatusCode.NOT_FOUND
        with pytest.raises(NotFoundError):
            next(client.watch_build(UNKNOWN))
        with pytest.raises(NotFoundError):
            list(
                client.builds.GetBuildGraph(
                    build_service_pb2.GetBuildGraphRequest(build_id=UNKNOWN)
                )
            )


def test_a_refusal_is_an_error_with_its_reason(shared_server: Server) -> None:
    with connect(shared_server.config) as client:
        with pytest.raises(ServerError) as caught:
            client.builds.GetBuild(build_service_pb2.GetBuildRequest(build_id="no id"))
        assert caught.value.reason == "REQUEST_INVALID"


def test_a_closed_client_says_so(shared_server: Server) -> None:
    with connect(shared_server.config) as client:
        next(client.list_builds(), None)
    with pytest.raises(RuntimeError, match="this client is closed"):
        next(client.list_builds(), None)
    with pytest.raises(RuntimeError, match="this client is closed"):
        client.get_task(UNKNOWN)  # its method is called for the first time


async def test_a_closed_client_for_asyncio_says_so(shared_server: Server) -> None:
    async with connect_aio(shared_server.config) as client:
        pass
    with pytest.raises(RuntimeError, match="this client is closed"):
        await client.get_task(UNKNOWN)


def test_a_client_for_asyncio_wants_the_loop_it_is_to_run_in(shared_server: Server) -> None:
    with pytest.raises(RuntimeError, match="made in async code"):
        connect_aio(shared_server.config)


@pytest.mark.parametrize("token", ["wrong", None])
def test_a_wrong_or_missing_credential_is_named_and_not_shown(
    shared_server: Server, token: str | None
) -> None:
    address = parse_address(f"127.0.0.1:{shared_server.port}")
    with Client(address, Credential(token=token)) as client:
        with pytest.raises(UnauthenticatedError, match="STARDAG_TOKEN") as caught:
            list(client.list_builds())
        assert "wrong" not in str(caught.value)


def test_a_token_file_that_can_not_be_read_is_a_mistake_of_the_configuration(
    shared_server: Server, tmp_path: Path
) -> None:
    address = parse_address(f"127.0.0.1:{shared_server.port}")
    with (
        Client(address, Credential(file=tmp_path)) as client,
        pytest.raises(ConfigError, match=str(tmp_path)),
    ):
        list(client.list_builds())
    with (
        Client(address, Credential(file=tmp_path)) as client,
        pytest.raises(ConfigError, match=str(tmp_path)),
    ):
        list(client.watch_build(UNKNOWN))


def test_a_token_file_that_is_not_there_is_named_when_a_credential_is_wanted(
    shared_server: Server, tmp_path: Path
) -> None:
    address = parse_address(f"127.0.0.1:{shared_server.port}")
    with (
        Client(address, Credential(file=tmp_path / "token")) as client,
        pytest.raises(UnauthenticatedError, match=f"there is no token file {tmp_path}/token"),
    ):
        list(client.list_builds())


async def test_so_it_is_to_asyncio(shared_server: Server, tmp_path: Path) -> None:
    address = parse_address(f"127.0.0.1:{shared_server.port}")
    async with AsyncClient(address, Credential(file=tmp_path)) as client:
        with pytest.raises(ConfigError, match=str(tmp_path)):
            _ = [build async for build in client.list_builds()]
        with pytest.raises(ConfigError, match=str(tmp_path)):
            async for _ in client.watch_build(UNKNOWN):
                pass


def test_an_absent_server_is_named_with_what_to_do() -> None:
    with (
        Client(parse_address("127.0.0.1:1"), Credential()) as client,
        pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1 can't be reached.*stardag-server"),
    ):
        list(client.list_builds())


async def test_an_absent_server_is_named_to_asyncio_too() -> None:
    async with AsyncClient(parse_address("127.0.0.1:1"), Credential()) as client:
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
            _ = [build async for build in client.list_builds()]


def test_a_call_may_be_given_less_time(shared_server: Server) -> None:
    with (
        connect(shared_server.config) as client,
        pytest.raises(UnreachableError, match=r"did not answer in time.*more time"),
    ):
        client.builds.ListBuilds(build_service_pb2.ListBuildsRequest(), timeout=1e-6)


def test_without_a_server_there_is_nothing_to_connect_to() -> None:
    with pytest.raises(ConfigError, match="STARDAG_SERVER"):
        connect(Config())
    remote = ServerConfig(address="http://10.0.0.7:1", token=SecretStr("t"))
    with pytest.raises(ConfigError, match="unencrypted"):
        connect(Config(server=remote))


def test_a_watch_goes_on_where_it_stopped_when_the_server_restarts(server: Server) -> None:
    build, task = uuid.uuid4(), uuid.uuid4()
    with connect(server.config) as client:
        publish(client, build, [(None, events.BUILD_STARTED), (task, events.TASK_STARTED)])
        watch = client.watch_build(str(build), event_service_pb2.WATCH_MODE_EVENTS)
        seen: list[Event] = []
        while len(seen) < 2:
            seen += next(watch).events
        server.stop()
        server.start()
        ends = [(task, events.TASK_COMPLETED), (None, events.BUILD_ENDED["completed"])]
        publish_when_up(client, build, ends)
        for response in watch:
            seen += response.events
    assert [event.position for event in seen] == [1, 2, 3, 4]
    assert [event.type for event in seen] == [1, 22, 27, 2]


async def test_a_feed_of_all_builds_goes_on_through_a_restart_too(server: Server) -> None:
    build, task = uuid.uuid4(), uuid.uuid4()
    request = event_service_pb2.WatchEventsRequest(filter="type = BUILD_COMPLETED")
    with connect(server.config) as client:
        async with connect_aio(server.config) as aio:
            feeds = (
                watch(client.events.WatchEvents, request),
                watch(aio.events.WatchEvents, request),
            )
            assert not next(feeds[0]).events and not (await anext(feeds[1])).events  # it has begun
            publish(client, build, [(None, events.BUILD_STARTED), (task, events.TASK_STARTED)])
            server.stop()
            server.start()
            publish_when_up(client, build, [(None, events.BUILD_ENDED["completed"])])
            seen = [next(r for r in feeds[0] if r.events)]
            seen += [await anext(r async for r in feeds[1] if r.events)]
    assert [[event.build_id for event in response.events] for response in seen] == [
        [str(build)]
    ] * 2


def test_patience_with_a_server_that_is_away_begins_when_it_is_missed(server: Server) -> None:
    request = event_service_pb2.WatchEventsRequest()
    place = Place(request)
    gone = UnreachableError("gone", RpcFailure(grpc.StatusCode.UNAVAILABLE, "gone"))
    assert place.pause_after(gone, now=3600.0) < 60
    place.note(event_service_pb2.WatchEventsResponse(cursor="c"))
    place.pause_after(gone, now=7200.0)
    place.pause_after(gone, now=7259.0)
    with pytest.raises(UnreachableError):
        place.pause_after(gone, now=7261.0)
    assert (place.request.cursor, request.cursor) == ("c", "")


def test_a_watch_waits_as_long_as_the_server_asks_and_gives_up_where_it_does_not() -> None:
    place = Place(event_service_pb2.WatchEventsRequest())
    busy = RpcFailure(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many watches", "TOO_MANY_STREAMS")
    asked = ServerError("too many watches", replace(busy, retry_after_s=5.0))
    assert place.pause_after(asked, now=0.0) >= 5.0
    with pytest.raises(ServerError):
        place.pause_after(ServerError("no such cursor", busy), now=1.0)


def publish_when_up(
    client: Client, build: uuid.UUID, kinds: Sequence[tuple[uuid.UUID | None, int]]
) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            publish(client, build, kinds, after=2)
        except UnreachableError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def uploaded(content: bytes, name: str) -> list[UploadAssetRequest]:
    draft = AssetDraft(task_id=str(uuid.uuid4()), name=name, kind=ASSET_KIND_MARKDOWN)
    return [UploadAssetRequest(draft=draft), UploadAssetRequest(chunk=content)]


def test_a_stream_of_requests_has_the_credential_and_the_errors(shared_server: Server) -> None:
    with connect(shared_server.config) as client:
        response = client.assets.UploadAsset(iter(uploaded(b"# A", "a")))
        assert response.asset.size_bytes == 3
        with pytest.raises(ServerError) as caught:
            client.assets.UploadAsset(iter(uploaded(b"# A", "")))
        assert caught.value.reason
        stream = event_service_pb2.OpenEventStream(stream_id=str(uuid.uuid4()))
        opening = iter([event_service_pb2.PublishEventsRequest(open=stream)])
        assert next(iter(client.events.PublishEvents(opening))).HasField("opened")


async def test_in_asyncio_it_has_the_credential(shared_server: Server) -> None:
    async with connect_aio(shared_server.config) as client:
        response = await client.assets.UploadAsset(iter(uploaded(b"# A", "a")))
        assert response.asset.size_bytes == 3
        with pytest.raises(grpc.aio.AioRpcError):
            await client.assets.UploadAsset(iter(uploaded(b"# A", "")))
        stream = event_service_pb2.OpenEventStream(stream_id=str(uuid.uuid4()))
        call = client.events.PublishEvents(
            iter([event_service_pb2.PublishEventsRequest(open=stream)])
        )
        assert (await call.read()).HasField("opened")  # type: ignore[union-attr]
