"""The HTTP server, in the event loop of the gRPC server."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator

import uvicorn
from starlette.types import ASGIApp

from stardag_server.transport.server import PortTaken

_IDLE_CONNECTIONS = 5
"""Seconds for which a connection may say nothing between two requests."""
_GRACE = 2
_MAX_REQUESTS = 200
"""Requests at once; what is above is answered with 503."""


class _Server(uvicorn.Server):
    """Leaves the signals of this process to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[override]
        yield


@contextlib.asynccontextmanager
async def http_serving(app: ASGIApp, host: str, port: int) -> AsyncGenerator[int]:
    """Serve the application during the block, on the port that it is given; 0 means any.

    Raises PortTaken if the address can't be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise PortTaken(f"{host}:{port}", "--http-port") from error
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            limit_concurrency=_MAX_REQUESTS,
            timeout_keep_alive=_IDLE_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving
