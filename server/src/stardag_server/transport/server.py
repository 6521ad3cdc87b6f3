"""The gRPC server: services, health, reflection, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from stardag_server.auth.authenticator import Authenticator
from stardag_server.auth.credentials import Credentials
from stardag_server.auth.principal import let_in
from stardag_server.domain import scopes
from stardag_server.domain.limits import MAX_MESSAGE_BYTES
from stardag_server.domain.refusals import ScopeMissing
from stardag_server.metrics import Metrics
from stardag_server.transport.boundary import Boundary
from stardag_server.transport.handlers import service_handler
from stardag_server.transport.open_calls import OpenCalls
from stardag_server.transport.reflection import reflection_handlers
from stardag_server.transport.tls import TlsFiles

OPEN_METHODS = frozenset(
    method for method, access in scopes.ACCESS.items() if access is scopes.Access.PUBLIC
)
"""The methods that need no credential. No others."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Two servers on one port would each get some of the calls: it must be an error.
    ("grpc.so_reuseport", 0),
    # Peers that vanished are found, and clients may look for us as often.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Who connects and says nothing is not waited for.
    ("grpc.server_handshake_timeout_ms", 5_000),
    # Connections are made anew from time to time, so that they spread over replicas that were
    # started since; streams go on elsewhere by their sequence numbers and cursors.
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    # More calls at once belong on more connections.
    ("grpc.max_concurrent_streams", 1_000),
)


class PortTaken(Exception):
    """An address can't be listened on; `option` chooses another."""

    def __init__(self, address: str, option: str) -> None:
        super().__init__(
            f"can't listen on {address}: is another server running there? Choose with {option}"
        )


class GrpcServer:
    """Serves services on one address, to callers whom the authenticator knows.

    `count_call` is called with the workspace of each caller, and raises RateLimited.
    """

    def __init__(
        self,
        services: dict[ServiceDescriptor, object],
        authenticator: Authenticator,
        count_call: Callable[[int], None],
        reflect: bool,
        metrics: Metrics,
    ) -> None:
        async def admit(method: str, shown: Credentials) -> None:
            if method in OPEN_METHODS:
                return
            principal = await authenticator.authenticate(shown)
            if not scopes.allows(principal.scopes, method):
                raise ScopeMissing(scopes.wanted(method))
            count_call(principal.workspace)
            let_in(principal)

        self._open_calls = OpenCalls(authenticator.authenticate)
        self._boundary = Boundary(admit, self._open_calls, metrics)
        self._server = grpc.aio.server(options=_OPTIONS, interceptors=[self._boundary])
        self._server.add_generic_rpc_handlers(
            [service_handler(descriptor, service) for descriptor, service in services.items()]
        )
        self._health = health.HealthServicer()
        add_HealthServicer_to_server(self._health, self._server)
        if reflect:
            described = [health_pb2.DESCRIPTOR.services_by_name["Health"], *services]
            names = [descriptor.full_name for descriptor in described]
            self._server.add_generic_rpc_handlers(reflection_handlers(names))
        self._names = ["", *(descriptor.full_name for descriptor in services)]

    async def start(self, host: str, port: int, tls: TlsFiles | None) -> int:
        """Listen on an address and serve; port 0 means any. Return the port.

        Without `tls` in plaintext. Raises CertificateUnusable, and PortTaken if the address
        can't be listened on.
        """
        credentials = None if tls is None else tls.credentials()
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            port = (
                self._server.add_insecure_port(address)
                if credentials is None
                else self._server.add_secure_port(address, credentials)
            )
        except RuntimeError as error:
            raise PortTaken(address, "--port") from error
        await self._server.start()
        return port

    async def watch_credentials(self) -> None:
        """End streams whose credentials do not work any more, until cancelled."""
        await self._open_calls.run()

    async def announce(self, ready: bool) -> None:
        """Answer health checks, and tell those who watch, whether this server can serve."""
        status = health_pb2.HealthCheckResponse
        for name in self._names:
            await self._health.set(name, status.SERVING if ready else status.NOT_SERVING)

    async def stop(self, grace: float) -> None:
        """Take no calls any more; end those under way that take longer than `grace` seconds.

        grpc cancels calls and does not wait for them: what they use, such as a connection to the
        database that is being closed, must outlive them.
        """
        await self._server.stop(grace)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._boundary.quiet()
