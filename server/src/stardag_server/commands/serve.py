"""`stardag-server`: serve until told to stop."""

import asyncio
import logging
import os
import shlex
import signal
import socket
from pathlib import Path

from stardag_server import log, settings, tracing
from stardag_server.garbage import collect_seldom
from stardag_server.serving import Ports, serving
from stardag_server.settings import Settings
from stardag_server.transport.tls import TlsFiles

_log = logging.getLogger(__name__)

_ENDED_AT_ONCE = 1


def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    http_host: str | None = None,
    http_port: str | None = None,
    config: Path | None = None,
    data_dir: Path | None = None,
    database_url: str | None = None,
    token_file: Path | None = None,
    pepper_file: Path | None = None,
    oidc_issuer: str | None = None,
    oidc_audience: str | None = None,
    oidc_scopes_claim: str | None = None,
    oidc_workspace_claim: str | None = None,
    reflection: bool | None = None,
    retention_days: int | None = None,
    drain_seconds: float | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
    tls_certificate: Path | None = None,
    tls_key: Path | None = None,
    tls_client_ca: Path | None = None,
    tls_principals: Path | None = None,
    insecure_plaintext: bool | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; the database is migrated first.

    Each option may be given as a variable of the environment instead, such as
    STARDAG_SERVER_PORT, or in a file of settings.

    Parameters
    ----------
    host
        Address to listen on; without TLS loopback only. Default 127.0.0.1.
    port
        Port to listen on; 0 for any. Default 7465.
    http_host
        Address for HTTP: health, readiness and metrics. Default 127.0.0.1.
    http_port
        Port for HTTP; 0 for any, "off" for none. Default 7466.
    config
        File of settings, in TOML. Default: server.toml in the user's configuration folder.
    data_dir
        Folder of the token and of the SQLite database. Default: the user's data folder.
    database_url
        postgresql+asyncpg://... or sqlite+aiosqlite:///...; default: SQLite in the data folder.
    token_file
        File with the token that callers must send; made if it is not there.
    pepper_file
        File with the secret that keys are hashed with, the same for all replicas; made if it is
        not there. Without it no key works any more.
    oidc_issuer
        URL of an OpenID Connect issuer whose tokens are taken.
    oidc_audience
        Audience that those tokens must be for.
    oidc_scopes_claim
        Claim with what their owner may do: stardag:ingest, stardag:read, stardag:admin,
        stardag:operator. Default scope.
    oidc_workspace_claim
        Claim with the name of their owner's workspace. Default stardag_workspace.
    reflection
        Serve gRPC reflection.
    retention_days
        Days for which builds are kept after their end, but for the latest ten of each name;
        0 for ever. Default 90.
    drain_seconds
        Seconds for which the server goes on after SIGTERM, while its health checks fail, so that
        load balancers look elsewhere. A second signal ends it at once. Default 0.
    log_level
        debug, info, warning or error.
    log_format
        text, or json: one object a line.
    tls_certificate
        PEM file of the server's certificate and its chain; with it the server speaks TLS only.
    tls_key
        PEM file of the certificate's key, without a password.
    tls_client_ca
        PEM file of the CA; clients must then have a certificate of it, beside their credential.
    tls_principals
        TOML file that says who the owners of such certificates are; they need no other credential.
    insecure_plaintext
        Listen off loopback without TLS: whoever is on the way reads all, credentials too. For a
        proxy with TLS in front of the server, on a network where nobody else is.
    """
    loaded = settings.load(locals(), os.environ)
    log.set_up(loaded.log_level, loaded.log_format)
    send_rest = tracing.set_up(os.environ)
    asyncio.run(_serve(loaded))
    send_rest()
    return 0


async def _serve(loaded: Settings) -> None:
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            _log.warning("told to stop again: ending at once")
            os._exit(_ENDED_AT_ONCE)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    for line in loaded.describe():
        _log.info(line)
    collect_seldom()
    async with serving(loaded) as ports:
        print("\n".join(greeting(loaded, ports)), flush=True)
        await stopping.wait()
        _log.info("stopping")


def greeting(loaded: Settings, ports: Ports) -> list[str]:
    """Return the lines that tell where the server is, and how a client gets there."""
    files = TlsFiles.of(loaded)
    scheme = "" if files is None else "https://"
    server = f"{scheme}{_address(_reached_at(loaded.host, files), ports.grpc)}"
    if loaded.insecure_plaintext and files is None:
        server = "https://<the proxy with TLS>"
    lines = [
        f"listening on {scheme}{_address(loaded.host, ports.grpc)}",
        f"to track builds here: export STARDAG_SERVER={shlex.quote(server)}",
    ]
    if loaded.token_file != settings.default_token_file():
        file = shlex.quote(str(loaded.token_file))
        lines.append(f"                      export STARDAG_TOKEN_FILE={file}")
    if ports.http is not None:
        http = _address(_reached_at(loaded.http_host, None), ports.http)
        lines.append(f"metrics and health:   http://{http}/metrics")
    return lines


def _reached_at(host: str, files: TlsFiles | None) -> str:
    """Return what clients may call the host: for "all addresses", a name of the certificate."""
    if host not in ("0.0.0.0", "::"):
        return host
    return (files and files.server_name()) or socket.gethostname()


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
