"""A server, from its start to its orderly end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from stardag.v1.auth_pb2 import SCOPE_OPERATOR
from stardag_server.auth.authenticator import Authenticator, TokenVerifier
from stardag_server.auth.certificates import owners
from stardag_server.auth.issuing import Issuing
from stardag_server.auth.principal import Principal, callers_workspace
from stardag_server.auth.secret_file import ensure_secret
from stardag_server.domain.retention import RetentionPolicy
from stardag_server.domain.scopes import held
from stardag_server.http.app import application
from stardag_server.http.server import http_serving
from stardag_server.metrics import Metrics
from stardag_server.parts import Parts
from stardag_server.readiness import Readiness
from stardag_server.settings import Settings
from stardag_server.store.migration import migrate
from stardag_server.store.store import DEFAULT_WORKSPACE, Store
from stardag_server.transport.server import GrpcServer
from stardag_server.transport.tls import TlsFiles

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
    async with contextlib.AsyncExitStack() as stack:
        store = await _open_store(loaded, stack)
        metrics = Metrics()
        parts = Parts(store, metrics, RetentionPolicy.of_days(loaded.retention_days))
        await parts.usage.refresh()
        authenticator, issuing = await _access(loaded, store)
        server = GrpcServer(
            parts.services(issuing),
            authenticator,
            parts.usage.count_call,
            loaded.reflection,
            metrics,
        )

        async def tell(ready: bool) -> None:
            metrics.ready(ready)
            await server.announce(ready)

        readiness = Readiness(store.info, tell)
        loops = [*parts.loops(), server.watch_credentials(), readiness.run()]
        await stack.enter_async_context(_running(loops))
        http_port = await stack.enter_async_context(_http(loaded, readiness, metrics))
        port = await server.start(loaded.host, loaded.port, _tls(loaded))
        await readiness.look()
        yield Ports(port, http_port)
        await readiness.drain()
        await asyncio.sleep(loaded.drain_seconds)
        parts.drain()
        await server.stop(_GRACE)


async def _open_store(loaded: Settings, stack: contextlib.AsyncExitStack) -> Store:
    """Return the store, migrated; leaving the stack closes it."""
    _log.info("the database is at revision %s", await migrate(loaded.database_url))
    store = Store(loaded.database_url, callers_workspace)
    stack.push_async_callback(store.close)
    return store


async def _access(loaded: Settings, store: Store) -> tuple[Authenticator, Issuing]:
    """Return who knows the callers, and who gives them keys."""
    token, pepper = ensure_secret(loaded.token_file), ensure_secret(loaded.pepper_file)
    workspace = await store.workspace()
    local = Principal(workspace, DEFAULT_WORKSPACE, "local", held([SCOPE_OPERATOR]))
    authenticator = Authenticator(
        token,
        local,
        store.keys,
        pepper,
        verifier=_verifier(loaded, store),
        certificates=owners(loaded, store),
    )
    return authenticator, Issuing(store.keys, pepper, authenticator.forget)


def _verifier(loaded: Settings, store: Store) -> TokenVerifier | None:
    """Return what verifies tokens of the issuer of the settings, None if they name none."""
    if not loaded.oidc_issuer:
        return None
    # Nine megabytes that a server without an issuer does not need.
    from stardag_server.auth.oidc import OidcVerifier

    return OidcVerifier(loaded, store.workspaces.find)


@contextlib.asynccontextmanager
async def _running(loops: Sequence[Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Run these in the background during the block."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
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
