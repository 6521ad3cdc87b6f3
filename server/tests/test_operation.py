"""A server in service: replicas, a database that goes away, migrations, an orderly end."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest
import sqlalchemy as sa
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from own_postgres import OwnPostgres
from producer import Producer
from running_server import Client, Refused
from server_process import ServerProcess
from sqlalchemy.exc import DBAPIError
from test_migrations import run_alembic

from stardag.v1.build_pb2 import BUILD_STATUS_COMPLETED
from stardag.v1.build_service_pb2 import GetBuildRequest, ListTaskStatesRequest
from stardag.v1.event_pb2 import NewEvent
from stardag.v1.event_service_pb2 import OpenEventStream, PublishEventBatchRequest
from stardag.v1.task_pb2 import TASK_STATUS_COMPLETED
from stardag_server.store.database import DEADLOCK_SQLSTATES, sqlstate
from stardag_server.store.migration import migrate

_PATIENCE = 30.0


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    postgres = OwnPostgres()
    yield postgres
    postgres.end()


def http_address(server: ServerProcess) -> str:
    return server.said()[-1].split()[-1].removesuffix("/metrics")


def ready(address: str) -> tuple[int, str]:
    try:
        with urlopen(f"{address}/readyz", timeout=5) as response:
            return response.status, response.read().decode().strip()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode().strip()


async def until_ready(address: str, status: int) -> str:
    async with asyncio.timeout(_PATIENCE):
        while (said := await asyncio.to_thread(ready, address))[0] != status:
            await asyncio.sleep(0.05)
    return said[1]


async def health(channel: grpc.aio.Channel) -> int:
    return (await HealthStub(channel).Check(HealthCheckRequest())).status  # type: ignore[misc]


async def completed_once(client: Client, make: Producer, tasks: int) -> None:
    """Check that the build is stored whole: every event once, every task completed."""
    build = (
        await client.builds.GetBuild(
            GetBuildRequest(build_id=make.build_id), metadata=client.metadata
        )
    ).build
    assert build.status == BUILD_STATUS_COMPLETED
    assert build.completeness.recorded_events == 3 * tasks + 2
    assert build.completeness.rejected_events == 0
    states = await client.builds.ListTaskStates(
        ListTaskStatesRequest(build_id=make.build_id, page_size=1_000), metadata=client.metadata
    )
    assert [state.status for state in states.task_states] == [TASK_STATUS_COMPLETED] * tasks


def batches(make: Producer, tasks: int) -> list[list[NewEvent]]:
    runs = [make.run(str(number)) for number in range(tasks)]
    return [[make.started()], *runs, [make.completed()]]


class Publisher:
    """Publishes batches one after another, each until it is acknowledged, by any of its clients."""

    def __init__(self, open: OpenEventStream, clients: list[Client]) -> None:
        self._open = open
        self._clients = clients
        self.sequence = 0
        self.refusals: list[str] = []

    async def publish(self, batch: list[NewEvent]) -> None:
        async with asyncio.timeout(_PATIENCE):
            while not await self._tried(batch):
                await asyncio.sleep(0.02)

    async def _tried(self, batch: list[NewEvent]) -> bool:
        client = self._clients[0]
        self._clients.append(self._clients.pop(0))
        request = PublishEventBatchRequest(
            stream=self._open, first_sequence=self.sequence + 1, events=batch
        )
        try:
            response = await client.events.PublishEventBatch(
                request, metadata=client.metadata, timeout=10
            )
        except grpc.aio.AioRpcError as error:
            self.refusals.append(
                Refused.of(error).reason if error.trailing_metadata() else error.code().name
            )
            return False
        assert response.ack.committed_sequence == self.sequence + len(batch)
        self.sequence += len(batch)
        return True


async def test_a_database_that_goes_away_and_comes_back_costs_time_and_nothing_else(
    own_postgres: OwnPostgres, tmp_path: Path
):
    make = Producer()
    first, *rest = batches(make, 30)
    with ServerProcess(tmp_path / "data", own_postgres.url) as server:
        address = http_address(server)
        async with server.channel() as channel:
            client = Client(channel, server.metadata)
            publisher = Publisher(make.open, [client])
            await publisher.publish(first)
            assert await health(channel) == HealthCheckResponse.SERVING
            await asyncio.to_thread(own_postgres.stop)
            publishing = asyncio.create_task(publisher.publish(rest[0]))
            assert await until_ready(address, 503) == "the database does not answer"
            assert await health(channel) == HealthCheckResponse.NOT_SERVING
            assert not publishing.done()
            await asyncio.to_thread(own_postgres.start)
            await publishing
            assert {*publisher.refusals} == {"STORAGE_UNAVAILABLE"}
            for batch in rest[1:]:
                await publisher.publish(batch)
            await until_ready(address, 200)
            assert await health(channel) == HealthCheckResponse.SERVING
            await completed_once(client, make, 30)
    assert "Traceback" not in (tmp_path / "data" / "stderr.log").read_text()


async def test_a_clock_of_the_database_that_jumps_keeps_nothing_from_being_stored(
    own_postgres: OwnPostgres, tmp_path: Path
):
    make = Producer()
    own_postgres.set_clock("postgres", 0)
    with ServerProcess(tmp_path / "data", own_postgres.url) as server:
        async with server.channel() as channel:
            client = Client(channel, server.metadata)
            publisher = Publisher(make.open, [client])
            for days, batch in zip((0, 70, -70, 0, 70), batches(make, 3), strict=True):
                own_postgres.set_clock("postgres", days)
                await publisher.publish(batch)
            await completed_once(client, make, 3)
    assert "Traceback" not in (tmp_path / "data" / "stderr.log").read_text()


async def test_replicas_share_a_database_and_one_may_be_killed(
    postgres_url: sa.URL, tmp_path: Path
):
    make = Producer()
    all = batches(make, 60)
    url = postgres_url.render_as_string(hide_password=False)
    with ServerProcess(tmp_path / "a", url) as one, ServerProcess(tmp_path / "b", url) as two:
        async with one.channel() as channel, two.channel() as other:
            survivor = Client(channel, one.metadata)
            publisher = Publisher(make.open, [survivor, Client(other, two.metadata)])
            for number, batch in enumerate(all):
                if number == 30:
                    two.kill()
                await publisher.publish(batch)
            await completed_once(survivor, make, 60)


async def test_a_migration_while_events_stream_loses_none(
    database_url: sa.URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make = Producer()
    all = batches(make, 120)
    url = database_url.render_as_string(hide_password=False)
    done = threading.Event()

    def go_back() -> None:
        """Go to the revision before the newest, as nobody does with a server that runs."""
        for _ in range(20):
            try:
                run_alembic(monkeypatch, database_url, "downgrade", "-1")
            except DBAPIError as error:
                if sqlstate(error) not in DEADLOCK_SQLSTATES:
                    raise
            else:
                return

    def migrate_again_and_again() -> None:
        for _ in range(3):
            go_back()
            time.sleep(0.2)
            asyncio.run(migrate(database_url))
            time.sleep(0.2)
        done.set()

    with ServerProcess(tmp_path / "data", url) as server:
        async with server.channel() as channel:
            client = Client(channel, server.metadata)
            publisher = Publisher(make.open, [client])
            migrating = asyncio.create_task(asyncio.to_thread(migrate_again_and_again))
            for number, batch in enumerate(all):
                if number == len(all) - 2:
                    await migrating
                await publisher.publish(batch)
            assert done.is_set()
            await completed_once(client, make, 120)


async def test_told_to_stop_it_serves_until_load_balancers_have_noticed(tmp_path: Path):
    make = Producer()
    first, *rest = batches(make, 2)
    server = ServerProcess(tmp_path / "data", options=("--drain-seconds", "1"))
    with server:
        address = http_address(server)
        async with server.channel() as channel:
            client = Client(channel, server.metadata)
            publisher = Publisher(make.open, [client])
            await publisher.publish(first)
            server.signal(signal.SIGTERM)
            assert await until_ready(address, 503) == "draining"
            assert await health(channel) == HealthCheckResponse.NOT_SERVING
            for batch in rest:
                await publisher.publish(batch)
            await completed_once(client, make, 2)
            assert not publisher.refusals
        assert await asyncio.to_thread(server.wait) == 0


def test_told_to_stop_twice_it_ends_at_once(tmp_path: Path):
    with ServerProcess(tmp_path / "data", options=("--drain-seconds", "3600")) as server:
        address = http_address(server)
        server.signal(signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        while ready(address)[0] != 503 and time.monotonic() < deadline:
            time.sleep(0.05)
        server.signal(signal.SIGTERM)
        assert server.wait() == 1
