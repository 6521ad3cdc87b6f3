"""The parts of the server, put together and served during a block."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import ServiceDescriptor

from stardag.v1 import (
    admin_service_pb2,
    asset_service_pb2,
    auth_service_pb2,
    build_service_pb2,
    event_service_pb2,
    lease_service_pb2,
    registry_service_pb2,
    workspace_service_pb2,
)
from stardag.v1.auth_pb2 import SCOPE_OPERATOR
from stardag_server.auth.authenticator import Authenticator
from stardag_server.auth.certificates import owners
from stardag_server.auth.issuing import Issuing
from stardag_server.auth.oidc import verifier
from stardag_server.auth.principal import Principal, callers_workspace
from stardag_server.auth.secret_file import ensure_secret
from stardag_server.cancels import Cancels
from stardag_server.domain.retention import RetentionPolicy
from stardag_server.domain.scopes import held
from stardag_server.heads import Heads
from stardag_server.housekeeping import Housekeeping
from stardag_server.http.app import application
from stardag_server.http.server import http_serving
from stardag_server.ingest import Ingest
from stardag_server.metrics import Metrics
from stardag_server.news import News
from stardag_server.publishing import Publishing
from stardag_server.readiness import Readiness
from stardag_server.services.admin_service import AdminService
from stardag_server.services.asset_service import AssetService
from stardag_server.services.auth_service import AuthService
from stardag_server.services.build_service import BuildService
from stardag_server.services.event_service import EventService
from stardag_server.services.lease_service import LeaseService
from stardag_server.services.registry_service import RegistryService
from stardag_server.services.workspace_service import WorkspaceService
from stardag_server.settings import Settings
from stardag_server.store.migration import migrate
from stardag_server.store.store import DEFAULT_WORKSPACE, Store
from stardag_server.sweep import Sweep
from stardag_server.transport.server import GrpcServer
from stardag_server.transport.tls import TlsFiles
from stardag_server.usage import Usage
from stardag_server.watch import Watching
from stardag_server.watch_workspace import WorkspaceWatching

_log = logging.getLogger(__name__)

_GRACE = 2.0
"""Seconds in which open calls are to end when the server stops."""


@dataclass(frozen=True)
class Ports:
    """Where a server listens."""

    grpc: int
    http: int | None
    """None if HTTP is off."""


@contextlib.asynccontextmanager
async def serving(loaded: Settings) -> AsyncGenerator[Ports]:
    """Serve during the block; then stop cleanly.

    Health checks fail at once when the block ends, and `drain_seconds` later the ports close.
    What was delivered by then is committed and acknowledged, streams and
    watches end with SERVER_DRAINING, other calls get a few seconds to end.
    """
    token, pepper = ensure_secret(loaded.token_file), ensure_secret(loaded.pepper_file)
    _log.info("the database is at revision %s", await migrate(loaded.database_url))
    store = Store(loaded.database_url, callers_workspace)
    metrics = Metrics()
    heads = Heads(store.queries)
    news = News(store.logs)
    usage = Usage(store)

    def announce(moved: Mapping[int, int]) -> None:
        heads.announce(moved)
        news.stir()

    ingest = Ingest(store, announce, metrics)
    cancels = Cancels(store, announce)
    publishing = Publishing(store, ingest, cancels, usage)
    watching = Watching(store.queries, heads)
    watching_all = WorkspaceWatching(store.logs, news)
    running = (ingest.run(), heads.poll(), news.poll(), cancels.poll())
    background = [asyncio.create_task(each) for each in running]
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        stack.push_async_callback(_end, background)
        workspace = await store.workspace()
        await usage.refresh()
        background.append(asyncio.create_task(usage.run()))
        background.append(asyncio.create_task(Sweep(store, announce).run()))
        policy = RetentionPolicy.of_days(loaded.retention_days)
        background.append(asyncio.create_task(Housekeeping(store, policy).run()))
        local = Principal(workspace, DEFAULT_WORKSPACE, "local", held([SCOPE_OPERATOR]))
        authenticator = Authenticator(
            token,
            local,
            store.keys,
            pepper,
            verifier=verifier(loaded, store),
            certificates=owners(loaded, store),
        )
        issuing = Issuing(store.keys, pepper, authenticator.forget)
        server = GrpcServer(
            _services(
                store,
                publishing=publishing,
                watching=watching,
                watching_all=watching_all,
                cancels=cancels,
                policy=policy,
                issuing=issuing,
                usage=usage,
            ),
            authenticator,
            usage.count_call,
            loaded.reflection,
            metrics,
        )
        background.append(asyncio.create_task(server.watch_credentials()))

        async def tell(ready: bool) -> None:
            metrics.ready(ready)
            await server.announce(ready)

        readiness = Readiness(store.info, tell)
        http_port = await stack.enter_async_context(_http(loaded, readiness, metrics))
        port = await server.start(loaded.host, loaded.port, _tls(loaded))
        await readiness.look()
        background.append(asyncio.create_task(readiness.run()))
        yield Ports(port, http_port)
        await readiness.drain()
        await asyncio.sleep(loaded.drain_seconds)
        publishing.drain()
        watching.drain()
        watching_all.drain()
        await server.stop(_GRACE)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _http(
    loaded: Settings, readiness: Readiness, metrics: Metrics
) -> AsyncGenerator[int | None]:
    """Serve HTTP during the block, unless it is off; give the port."""
    if loaded.http_port is None:
        yield None
        return
    app = application(readiness, metrics, (loaded.http_host,))
    async with http_serving(app, loaded.http_host, loaded.http_port) as port:
        yield port


def _tls(loaded: Settings) -> TlsFiles | None:
    files = TlsFiles.of(loaded)
    if files is None and loaded.insecure_plaintext:
        _log.warning("insecure_plaintext: whoever is on the way reads all, credentials too")
    return files


def _services(
    store: Store,
    *,
    publishing: Publishing,
    watching: Watching,
    watching_all: WorkspaceWatching,
    cancels: Cancels,
    policy: RetentionPolicy,
    issuing: Issuing,
    usage: Usage,
) -> dict[ServiceDescriptor, object]:
    """Return the services of the contract, each with what serves it."""
    events = EventService(store, publishing, watching, watching_all, usage)
    served = (
        (admin_service_pb2.DESCRIPTOR, AdminService(store, policy)),
        (asset_service_pb2.DESCRIPTOR, AssetService(store, usage)),
        (auth_service_pb2.DESCRIPTOR, AuthService(store, issuing)),
        (build_service_pb2.DESCRIPTOR, BuildService(store, cancels)),
        (event_service_pb2.DESCRIPTOR, events),
        (lease_service_pb2.DESCRIPTOR, LeaseService(store)),
        (registry_service_pb2.DESCRIPTOR, RegistryService(store)),
        (workspace_service_pb2.DESCRIPTOR, WorkspaceService(store, policy, usage)),
    )
    return {file.services_by_name[type(service).__name__]: service for file, service in served}
