"""The pages for operators: is it alive, is it ready, what does it measure."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stardag_server.metrics import Metrics
from stardag_server.readiness import Readiness

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def application(readiness: Readiness, metrics: Metrics, hosts: tuple[str, ...]) -> ASGIApp:
    """Return the application; it answers requests for these hosts and for loopback.

    A page of another site that was led here by DNS rebinding asks for its own host, and is
    refused with 400. Nothing here says more than an operator's probes need, so no credential
    is asked for.
    """

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        reason = readiness.reason
        return PlainTextResponse(f"{reason or 'ok'}\n", 503 if reason else 200)

    async def measured(_request: Request) -> Response:
        return Response(metrics.text(), media_type=_METRICS_TYPE)

    pages: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": measured,
    }
    return Starlette(
        routes=[Route(path, page, methods=["GET"]) for path, page in pages.items()],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[*_LOOPBACK, *hosts]),
            Middleware(_Nosniff),
        ],
    )


class _Nosniff:
    """Has browsers take a response for what it says it is, and never keep it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                    (b"content-security-policy", b"default-src 'self'"),
                ]
            await send(message)

        await self._app(scope, receive, send_guarded if scope["type"] == "http" else send)
