"""The clients: the stubs of every service over one channel, for threads and for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import grpc

from stardag._errors import ConfigError
from stardag.client._guards import ASYNC_GUARDS, Guard, Terms
from stardag.client._pages import rows
from stardag.client._watches import watch
from stardag.config import get_config
from stardag.tracking.connection import rpc
from stardag.tracking.connection.address import Address, parse_address
from stardag.tracking.connection.credential import Credential, configured_credential
from stardag.v1.admin_service_pb2_grpc import AdminServiceStub
from stardag.v1.asset_service_pb2_grpc import AssetServiceStub
from stardag.v1.auth_service_pb2_grpc import AuthServiceStub
from stardag.v1.build_service_pb2 import ListBuildsRequest, ListTaskStatesRequest
from stardag.v1.build_service_pb2_grpc import BuildServiceStub
from stardag.v1.event_service_pb2 import WATCH_MODE_STATE, WatchBuildRequest
from stardag.v1.event_service_pb2_grpc import EventServiceStub
from stardag.v1.lease_service_pb2_grpc import LeaseServiceStub
from stardag.v1.registry_service_pb2 import GetTaskRequest
from stardag.v1.registry_service_pb2_grpc import RegistryServiceStub
from stardag.v1.workspace_service_pb2_grpc import WorkspaceServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from stardag.config import Config
    from stardag.v1.admin_service_pb2_grpc import AdminServiceAsyncStub
    from stardag.v1.asset_service_pb2_grpc import AssetServiceAsyncStub
    from stardag.v1.auth_service_pb2_grpc import AuthServiceAsyncStub
    from stardag.v1.build_pb2 import Build, BuildStatus
    from stardag.v1.build_service_pb2_grpc import BuildServiceAsyncStub
    from stardag.v1.event_service_pb2 import WatchBuildResponse, WatchMode
    from stardag.v1.event_service_pb2_grpc import EventServiceAsyncStub
    from stardag.v1.lease_service_pb2_grpc import LeaseServiceAsyncStub
    from stardag.v1.registry_service_pb2_grpc import RegistryServiceAsyncStub
    from stardag.v1.task_pb2 import Task, TaskState, TaskStatus
    from stardag.v1.workspace_service_pb2_grpc import WorkspaceServiceAsyncStub


def connect(config: Config | None = None) -> Client:
    """Return a client for the configured server; it connects when it is first used.

    Without `config`, as `get_config()` has it.

    Raises `ConfigError` if no server is configured, its address is wrong, a file of TLS
    can't be used, or the token would be sent unencrypted.
    """
    return Client(*_configured(config))


def connect_aio(config: Config | None = None) -> AsyncClient:
    """Return an asyncio client; otherwise as `connect`.

    Raises `RuntimeError` where no event loop runs.
    """
    return AsyncClient(*_configured(config))


class Client:
    """Calls a server from threads. A context manager, or to be closed.

    A call after that raises `RuntimeError`.
    """

    admin: AdminServiceStub
    assets: AssetServiceStub
    auth: AuthServiceStub
    builds: BuildServiceStub
    events: EventServiceStub
    leases: LeaseServiceStub
    registry: RegistryServiceStub
    workspaces: WorkspaceServiceStub

    def __init__(self, address: Address, credential: Credential) -> None:
        """Prepare to call `address`. Raises `ConfigError` as `connect` does."""
        address.require_safe_for(credential)
        self._channel = rpc.channel(address, credential.tls)
        self._terms = Terms(address, credential)
        channel = grpc.intercept_channel(self._channel, Guard(self._terms))
        self.admin = AdminServiceStub(channel)
        self.assets = AssetServiceStub(channel)
        self.auth = AuthServiceStub(channel)
        self.builds = BuildServiceStub(channel)
        self.events = EventServiceStub(channel)
        self.leases = LeaseServiceStub(channel)
        self.registry = RegistryServiceStub(channel)
        self.workspaces = WorkspaceServiceStub(channel)

    def get_task(self, task_id: str) -> Task:
        """Return a task. Raises `NotFoundError`, and `ServerError` otherwise."""
        return self.registry.GetTask(GetTaskRequest(task_id=task_id)).task

    def list_builds(self, statuses: Sequence[BuildStatus.ValueType] = ()) -> Iterator[Build]:
        """Yield all builds, or those in one of `statuses`, newest first. Raises `ServerError`."""
        request = ListBuildsRequest(statuses=statuses)
        return rows(self.builds.ListBuilds, request, lambda page: page.builds)

    def list_task_states(
        self, build_id: str, statuses: Sequence[TaskStatus.ValueType] = ()
    ) -> Iterator[TaskState]:
        """Yield the state of each task of a build, or those in one of `statuses`.

        In the order in which they entered the build. Raises `ServerError`.
        """
        request = _task_states_request(build_id, statuses)
        return rows(self.builds.ListTaskStates, request, lambda page: page.task_states)

    def watch_build(
        self, build_id: str, mode: WatchMode.ValueType = WATCH_MODE_STATE
    ) -> Iterator[WatchBuildResponse]:
        """Yield a build's state and then its changes, until it has ended.

        Goes on where it stopped if the connection breaks or the server restarts. Raises
        `UnreachableError` if that fails for a minute, and `ServerError` otherwise.
        """
        return watch(self.events.WatchBuild, WatchBuildRequest(build_id=build_id, mode=mode))

    def close(self) -> None:
        """Close the connection."""
        self._terms.closed = True
        self._channel.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()


class AsyncClient:
    """Calls a server from asyncio; make it where the event loop runs. Otherwise as `Client`."""

    admin: AdminServiceAsyncStub
    assets: AssetServiceAsyncStub
    auth: AuthServiceAsyncStub
    builds: BuildServiceAsyncStub
    events: EventServiceAsyncStub
    leases: LeaseServiceAsyncStub
    registry: RegistryServiceAsyncStub
    workspaces: WorkspaceServiceAsyncStub

    def __init__(self, address: Address, credential: Credential) -> None:
        """Prepare to call `address`.

        Raises `ConfigError` as `connect` does, and `RuntimeError` where no event loop runs.
        """
        address.require_safe_for(credential)
        _require_loop()
        self._terms = Terms(address, credential)
        self._channel = rpc.aio_channel(
            address, credential.tls, [guard(self._terms) for guard in ASYNC_GUARDS]
        )
        self.admin = AdminServiceStub(self._channel)
        self.assets = AssetServiceStub(self._channel)
        self.auth = AuthServiceStub(self._channel)
        self.builds = BuildServiceStub(self._channel)
        self.events = EventServiceStub(self._channel)
        self.leases = LeaseServiceStub(self._channel)
        self.registry = RegistryServiceStub(self._channel)
        self.workspaces = WorkspaceServiceStub(self._channel)

    async def get_task(self, task_id: str) -> Task:
        """Return as `Client.get_task`."""
        return (await self.registry.GetTask(GetTaskRequest(task_id=task_id))).task

    def list_builds(self, statuses: Sequence[BuildStatus.ValueType] = ()) -> AsyncIterator[Build]:
        """Yield as `Client.list_builds`."""
        request = ListBuildsRequest(statuses=statuses)
        return rows(self.builds.ListBuilds, request, lambda page: page.builds)

    def list_task_states(
        self, build_id: str, statuses: Sequence[TaskStatus.ValueType] = ()
    ) -> AsyncIterator[TaskState]:
        """Yield as `Client.list_task_states`."""
        request = _task_states_request(build_id, statuses)
        return rows(self.builds.ListTaskStates, request, lambda page: page.task_states)

    def watch_build(
        self, build_id: str, mode: WatchMode.ValueType = WATCH_MODE_STATE
    ) -> AsyncIterator[WatchBuildResponse]:
        """Yield as `Client.watch_build`."""
        return watch(self.events.WatchBuild, WatchBuildRequest(build_id=build_id, mode=mode))

    async def close(self) -> None:
        """Close the connection."""
        self._terms.closed = True
        await self._channel.close()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self.close()


def _configured(config: Config | None) -> tuple[Address, Credential]:
    config = config or get_config()
    if not config.server.address:
        raise ConfigError(
            "no server is configured; set STARDAG_SERVER=<host:port>, or `address` under "
            "[server] in stardag.toml"
        )
    address = parse_address(config.server.address)
    return address, configured_credential(config.server, address)


def _require_loop() -> None:
    # grpc would take the loop that is set, which need not be the one that will run
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "an AsyncClient is made in async code, where its event loop runs; a Client needs none"
        ) from None


def _task_states_request(
    build_id: str, statuses: Sequence[TaskStatus.ValueType]
) -> ListTaskStatesRequest:
    return ListTaskStatesRequest(build_id=build_id, statuses=statuses, page_size=1000)
