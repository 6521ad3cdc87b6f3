"""Reads what a server knows: a channel, its credential, its errors, and nothing more.

    with stardag.client.connect(get_config()) as client:
        for build in client.list_builds():
            print(build.build_id, build.name)

`Client` is for threads and `AsyncClient` for asyncio. The stubs `admin`, `assets`, `auth`,
`builds`, `events`, `leases`, `registry` and `workspaces` are those generated from the contract: all
it offers can be called. Every unary call has a deadline of ten seconds unless it is given
another, and fails with a `ServerError`, which says what went wrong and what to do; or with a
`ConfigError` if the token file can't be read, which is done anew for each call.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import grpc
import grpc.aio

from stardag._errors import ConfigError, StardagError
from stardag.tracking import rpc
from stardag.tracking.address import Address, parse_address
from stardag.tracking.backoff import Backoff
from stardag.tracking.credential import Credential, configured_credential
from stardag.v1 import build_service_pb2, event_service_pb2, registry_service_pb2
from stardag.v1.admin_service_pb2_grpc import AdminServiceStub
from stardag.v1.asset_service_pb2_grpc import AssetServiceStub
from stardag.v1.auth_service_pb2_grpc import AuthServiceStub
from stardag.v1.build_service_pb2_grpc import BuildServiceStub
from stardag.v1.event_service_pb2_grpc import EventServiceStub
from stardag.v1.lease_service_pb2_grpc import LeaseServiceStub
from stardag.v1.registry_service_pb2_grpc import RegistryServiceStub
from stardag.v1.workspace_service_pb2_grpc import WorkspaceServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

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

DEADLINE_S = 10.0
"""Seconds a unary call may take unless it is given another limit."""

_PATIENCE_S = 60.0
_RETRY_CAP_S = 3.0
_UNREACHABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
WATCH_STATE = event_service_pb2.WATCH_MODE_STATE


class ServerError(StardagError):
    """The server refused a call or could not serve it.

    `code` is the gRPC status, `reason` the name of an `ErrorReason` of the contract
    without its prefix, empty if it was not the server that spoke.
    """

    def __init__(self, message: str, failure: rpc.RpcFailure) -> None:
        """Make the error for a call that failed with `failure`."""
        super().__init__(message)
        self.code = failure.code
        self.reason = failure.reason


class NotFoundError(ServerError):
    """The server knows nothing by that id."""


class UnauthenticatedError(ServerError):
    """The server does not accept the credential, or wants one and got none."""


class UnreachableError(ServerError):
    """No server answers at the address, or not in time."""


def connect(config: Config) -> Client:
    """Return a client for the configured server; it connects when it is first used.

    Raises `ConfigError` if no server is configured, its address is wrong, a file of TLS
    can't be used, or the token would be sent unencrypted.
    """
    return Client(*_configured(config))


def connect_aio(config: Config) -> AsyncClient:
    """Return an asyncio client; otherwise as `connect`."""
    return AsyncClient(*_configured(config))


class Client:
    """Calls a server from threads. A context manager, or to be closed."""

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
        channel = grpc.intercept_channel(self._channel, _Guard(_Terms(address, credential)))
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
        return self.registry.GetTask(registry_service_pb2.GetTaskRequest(task_id=task_id)).task

    def list_builds(self, statuses: Sequence[BuildStatus.ValueType] = ()) -> Iterator[Build]:
        """Yield all builds, or those in one of `statuses`, newest first. Raises `ServerError`."""
        request = build_service_pb2.ListBuildsRequest(statuses=statuses)
        while True:
            page = self.builds.ListBuilds(request)
            yield from page.builds
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def list_task_states(
        self, build_id: str, statuses: Sequence[TaskStatus.ValueType] = ()
    ) -> Iterator[TaskState]:
        """Yield the state of each task of a build, or those in one of `statuses`.

        In the order in which they entered the build. Raises `ServerError`.
        """
        request = _task_states_request(build_id, statuses)
        while True:
            page = self.builds.ListTaskStates(request)
            yield from page.task_states
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch_build(
        self, build_id: str, mode: WatchMode.ValueType = WATCH_STATE
    ) -> Iterator[WatchBuildResponse]:
        """Yield a build's state and then its changes, until it has ended.

        Goes on where it stopped if the connection breaks or the server restarts. Raises
        `UnreachableError` if that fails for a minute, and `ServerError` otherwise.
        """
        watch = _Watch(build_id, mode)
        while True:
            try:
                for response in self.events.WatchBuild(watch.request):
                    watch.note(response)
                    yield response
            except ServerError as error:
                time.sleep(watch.pause_after(error))
            else:
                return

    def close(self) -> None:
        """Close the connection."""
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
        """Prepare to call `address`. Raises `ConfigError` as `connect` does."""
        address.require_safe_for(credential)
        terms = _Terms(address, credential)
        self._channel = rpc.aio_channel(
            address, credential.tls, [guard(terms) for guard in _ASYNC_GUARDS]
        )
        self.admin = AdminServiceStub(self._channel)
        self.assets = AssetServiceStub(self._channel)
        self.auth = AuthServiceStub(self._channel)
        self.builds = BuildServiceStub(self._channel)
        self.events = EventServiceStub(self._channel)
        self.leases = LeaseServiceStub(self._channel)
        self.registry = RegistryServiceStub(self._channel)
        self.workspaces = WorkspaceServiceStub(self._channel)

    async def list_builds(
        self, statuses: Sequence[BuildStatus.ValueType] = ()
    ) -> AsyncIterator[Build]:
        """Yield as `Client.list_builds`."""
        request = build_service_pb2.ListBuildsRequest(statuses=statuses)
        while True:
            page = await self.builds.ListBuilds(request)
            for build in page.builds:
                yield build
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def list_task_states(
        self, build_id: str, statuses: Sequence[TaskStatus.ValueType] = ()
    ) -> AsyncIterator[TaskState]:
        """Yield as `Client.list_task_states`."""
        request = _task_states_request(build_id, statuses)
        while True:
            page = await self.builds.ListTaskStates(request)
            for state in page.task_states:
                yield state
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def watch_build(
        self, build_id: str, mode: WatchMode.ValueType = WATCH_STATE
    ) -> AsyncIterator[WatchBuildResponse]:
        """Yield as `Client.watch_build`."""
        watch = _Watch(build_id, mode)
        while True:
            try:
                async for response in self.events.WatchBuild(watch.request):
                    watch.note(response)
                    yield response
            except ServerError as error:
                await asyncio.sleep(watch.pause_after(error))
            else:
                return

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self.close()


def _configured(config: Config) -> tuple[Address, Credential]:
    if not config.server.address:
        raise ConfigError(
            "no server is configured; set STARDAG_SERVER=<host:port>, or `address` under "
            "[server] in stardag.toml"
        )
    address = parse_address(config.server.address)
    return address, configured_credential(config.server, address)


def _task_states_request(
    build_id: str, statuses: Sequence[TaskStatus.ValueType]
) -> build_service_pb2.ListTaskStatesRequest:
    return build_service_pb2.ListTaskStatesRequest(
        build_id=build_id, statuses=statuses, page_size=1000
    )


class _Watch:
    """Where a watch stands, and whether it is worth going on after a failure."""

    def __init__(self, build_id: str, mode: WatchMode.ValueType) -> None:
        self.request = event_service_pb2.WatchBuildRequest(build_id=build_id, mode=mode)
        self._heard_at = time.monotonic()
        self._backoff = Backoff(_RETRY_CAP_S)

    def note(self, response: WatchBuildResponse) -> None:
        self.request.cursor = response.cursor
        self._heard_at = time.monotonic()
        self._backoff = Backoff(_RETRY_CAP_S)

    def pause_after(self, error: ServerError) -> float:
        """Return the seconds to wait before going on; raise `error` if there is no use in it."""
        patient = time.monotonic() - self._heard_at < _PATIENCE_S
        if not isinstance(error, UnreachableError) or not patient:
            raise error
        return self._backoff.failed()


@dataclass(frozen=True, slots=True)
class _Terms:
    """The terms on which calls are made: with whom, as whom, and what failures are called."""

    address: Address
    credential: Credential

    def apply(self, details: Any, *, unary: bool) -> grpc.aio.ClientCallDetails:
        metadata = [*(details.metadata or ()), *rpc.bearer(self.credential.read())]
        timeout = details.timeout
        if unary and timeout is None:
            timeout = DEADLINE_S
        return grpc.aio.ClientCallDetails(
            method=details.method,
            timeout=timeout,
            metadata=grpc.aio.Metadata(*metadata),
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
        )

    def error(self, error: grpc.RpcError) -> ServerError:
        failure = rpc.failure_of(error)
        if failure.code is grpc.StatusCode.NOT_FOUND:
            return NotFoundError(str(failure), failure)
        if failure.code is grpc.StatusCode.UNAUTHENTICATED:
            return UnauthenticatedError(
                f"{self.address} does not accept the credential ({failure}); set STARDAG_TOKEN "
                "or STARDAG_TOKEN_FILE",
                failure,
            )
        if failure.code in _UNREACHABLE:
            return UnreachableError(
                f"{self.address} can't be reached ({failure}); check the address, and that the "
                "server runs (stardag-server starts one here)",
                failure,
            )
        return ServerError(f"{self.address} refused the call: {failure}", failure)


class _Guard(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, terms: _Terms) -> None:
        self._terms = terms

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        call = continuation(self._terms.apply(client_call_details, unary=True), request)
        if (error := call.exception()) is not None:
            raise self._terms.error(error) from None
        return call

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        call = continuation(self._terms.apply(client_call_details, unary=False), request)
        return self._responses(call)

    def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        call = continuation(self._terms.apply(client_call_details, unary=False), request_iterator)
        if (error := call.exception()) is not None:
            raise self._terms.error(error) from None
        return call

    def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        call = continuation(self._terms.apply(client_call_details, unary=False), request_iterator)
        return self._responses(call)

    def _responses(self, call: Any) -> Iterator[Any]:
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._terms.error(error) from None
        finally:
            call.cancel()  # whoever stops reading half-way is done with it


class _AsyncUnaryGuard(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, terms: _Terms) -> None:
        self._terms = terms

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        call = await continuation(self._terms.apply(client_call_details, unary=True), request)
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise self._terms.error(error) from None


class _AsyncStreamGuard(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, terms: _Terms) -> None:
        self._terms = terms

    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        call = await continuation(self._terms.apply(client_call_details, unary=False), request)
        return self._responses(call)

    async def _responses(self, call: Any) -> AsyncIterator[Any]:
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise self._terms.error(error) from None
        finally:
            call.cancel()


class _AsyncStreamUnaryGuard(grpc.aio.StreamUnaryClientInterceptor):
    """Gives the credential; failures stay those of grpc, as the caller writes to the call."""

    def __init__(self, terms: _Terms) -> None:
        self._terms = terms

    async def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        details = self._terms.apply(client_call_details, unary=False)
        return await continuation(details, request_iterator)


class _AsyncBothStreamGuard(grpc.aio.StreamStreamClientInterceptor):
    """As the one for streams with one response."""

    def __init__(self, terms: _Terms) -> None:
        self._terms = terms

    async def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        details = self._terms.apply(client_call_details, unary=False)
        return await continuation(details, request_iterator)


_ASYNC_GUARDS = (
    _AsyncUnaryGuard,
    _AsyncStreamGuard,
    _AsyncStreamUnaryGuard,
    _AsyncBothStreamGuard,
)
