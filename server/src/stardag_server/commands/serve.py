"""`stardag-server`: serve until told to stop."""

import asyncio
import gc
import logging
import os
import shlex
import signal
from pathlib import Path

from stardag_server import log, settings
from stardag_server.serving import serving
from stardag_server.settings import Settings

_log = logging.getLogger(__name__)


def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    data_dir: Path | None = None,
    database_url: str | None = None,
    token_file: Path | None = None,
    reflection: bool | None = None,
    retention_days: int | None = None,
    log_level: str | None = None,
    tls_certificate: Path | None = None,
    tls_key: Path | None = None,
    tls_client_ca: Path | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; the database is migrated first.

    Each option may be given as a variable of the environment instead, such as
    STARDAG_SERVER_PORT.

    Parameters
    ----------
    host
        Address to listen on; without TLS loopback only. Default 127.0.0.1.
    port
        Port to listen on; 0 for any. Default 7465.
    data_dir
        Folder of the token and of the SQLite database. Default: the user's data folder.
    database_url
        postgresql+asyncpg://... or sqlite+aiosqlite:///...; default: SQLite in the data folder.
    token_file
        File with the token that callers must send; made if it is not there.
    reflection
        Serve gRPC reflection.
    retention_days
        Days for which builds are kept after their end, but for the latest ten of each name;
        0 for ever. Default 90.
    log_level
        debug, info, warning or error.
    tls_certificate
        PEM file of the server's certificate and its chain; with it the server speaks TLS only.
    tls_key
        PEM file of the certificate's key, without a password.
    tls_client_ca
        PEM file of the CA; clients must then have a certificate of it, beside the token.
    """
    loaded = settings.load(locals(), os.environ)
    log.set_up(loaded.log_level)
    asyncio.run(_serve(loaded))
    return 0


async def _serve(loaded: Settings) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    for line in loaded.describe():
        _log.info(line)
    _collect_seldom()
    async with serving(loaded) as port:
        _greet(loaded, port)
        await stopping.wait()
        _log.info("stopping")


def _collect_seldom() -> None:
    """Have the garbage collector look less often.

    A commit makes tens of thousands of objects and no circles. At the default
    pace the collector looked at everything that the server remembers several
    times a second, which took a quarter of its time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _greet(loaded: Settings, port: int) -> None:
    address = f"[{loaded.host}]:{port}" if ":" in loaded.host else f"{loaded.host}:{port}"
    if loaded.tls_certificate is not None:
        address = f"https://{address}"
    print(f"listening on {address}")
    print(f"to track builds here: export STARDAG_SERVER={shlex.quote(address)}", flush=True)
    if loaded.token_file != settings.default_token_file():
        file = shlex.quote(str(loaded.token_file))
        print(f"                      export STARDAG_TOKEN_FILE={file}", flush=True)
