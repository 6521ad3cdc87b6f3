"""The parts of the server, put together and served during a block."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator

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
from stardag_server.auth.principal import Principal
from stardag_server.auth.token import ensure_token
from stardag_server.domain.retention import RetentionPolicy
from stardag_server.heads import Heads
from stardag_server.housekeeping import Housekeeping
from stardag_server.ingest import Ingest
from stardag_server.publishing import Publishing
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
from stardag_server.store.store import Store
from stardag_server.sweep import Sweep
from stardag_server.transport.server import GrpcServer
from stardag_server.transport.tls import TlsFiles
from stardag_server.watch import Watching

_log = logging.getLogger(__name__)

_GRACE = 2.0
"""Seconds in which open calls are to end when the server stops."""


@contextlib.asynccontextmanager
async def serving(loaded: Settings) -> AsyncGenerator[int]:
    """Serve during the block, on the port that it is given; then stop cleanly.

    What was delivered by then is committed and acknowledged, streams and
    watches end with SERVER_DRAINING, other calls get a few seconds to end.
    """
    token = ensure_token(loaded.token_file)
    _log.info("the database is at revision %s", await migrate(loaded.database_url))
    store = Store(loaded.database_url)
    heads = Heads(store.queries)
    ingest = Ingest(store, heads.announce)
    publishing = Publishing(store, ingest)
    watching = Watching(store.queries, heads)
    background = [asyncio.create_task(ingest.run()), asyncio.create_task(heads.poll())]
    try:
        workspace = await store.workspace()
        background.append(asyncio.create_task(Sweep(store, workspace, heads.announce).run()))
        policy = RetentionPolicy(loaded.retention_days)
        background.append(asyncio.create_task(Housekeeping(store, workspace, policy).run()))
        server = GrpcServer(
            _services(store, publishing, watching, policy),
            Principal(workspace),
            token,
            loaded.reflection,
        )
        yield await server.start(loaded.host, loaded.port, _tls(loaded))
        await server.announce_end()
        publishing.drain()
        watching.drain()
        await server.stop(_GRACE)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await store.close()


def _tls(loaded: Settings) -> TlsFiles | None:
    if loaded.tls_certificate is None or loaded.tls_key is None:
        return None
    return TlsFiles(loaded.tls_certificate, loaded.tls_key, loaded.tls_client_ca)


def _services(
    store: Store, publishing: Publishing, watching: Watching, policy: RetentionPolicy
) -> dict[ServiceDescriptor, object]:
    """Return the services of the contract, each with what serves it."""
    served = (
        (admin_service_pb2.DESCRIPTOR, AdminService(store, policy)),
        (asset_service_pb2.DESCRIPTOR, AssetService(store)),
        (auth_service_pb2.DESCRIPTOR, AuthService(store)),
        (build_service_pb2.DESCRIPTOR, BuildService(store)),
        (event_service_pb2.DESCRIPTOR, EventService(store, publishing, watching)),
        (lease_service_pb2.DESCRIPTOR, LeaseService(store)),
        (registry_service_pb2.DESCRIPTOR, RegistryService(store)),
        (workspace_service_pb2.DESCRIPTOR, WorkspaceService(store)),
    )
    return {file.services_by_name[type(service).__name__]: service for file, service in served}
