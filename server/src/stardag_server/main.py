"""The `stardag-server` command: settings, wiring, serving, and a clean end."""

import asyncio
import contextlib
import gc
import logging
import os
import shlex
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import NoReturn

import cyclopts
from google.protobuf.descriptor import ServiceDescriptor
from sqlalchemy.exc import DBAPIError

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
from stardag_server import log, settings
from stardag_server.auth.principal import Principal
from stardag_server.auth.token import ensure_token
from stardag_server.domain.refusals import StorageUnavailable
from stardag_server.domain.retention import Deleted, RetentionPolicy
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
from stardag_server.settings import SettingInvalid, Settings
from stardag_server.store.database import sqlstate
from stardag_server.store.migration import DatabaseNewer, migrate
from stardag_server.store.store import Store
from stardag_server.sweep import Sweep
from stardag_server.transport.server import GrpcServer, PortTaken
from stardag_server.watch import Watching

_log = logging.getLogger(__name__)

_USAGE = 2
_FAULT = 3
_GRACE = 2.0
"""Seconds in which open calls are to end when the server stops."""

app = cyclopts.App(name="stardag-server", help="The tracking service of Stardag.")


@app.default
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
) -> int:
    """Serve until SIGTERM or SIGINT; the database is migrated first.

    Each option may be given as a variable of the environment instead, such as
    STARDAG_SERVER_PORT.

    Parameters
    ----------
    host
        Address to listen on; loopback only. Default 127.0.0.1.
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
    """
    loaded = settings.load(locals(), os.environ)
    log.set_up(loaded.log_level)
    asyncio.run(_serve(loaded))
    return 0


@app.command(name="migrate")
def migrate_command(*, data_dir: Path | None = None, database_url: str | None = None) -> int:
    """Bring the database to the newest schema, and end.

    Parameters
    ----------
    data_dir
        Folder of the SQLite database.
    database_url
        Database to migrate.
    """
    loaded = settings.load(locals(), os.environ)
    log.set_up(loaded.log_level)
    revision = asyncio.run(_migrate(loaded))
    print(f"the database is at revision {revision}")
    return 0


@app.command
def purge(
    *,
    data_dir: Path | None = None,
    database_url: str | None = None,
    retention_days: int | None = None,
    dry_run: bool = False,
) -> int:
    """Delete the builds that are older than they are to be kept, and end.

    The server does so by itself every hour; it may run meanwhile.

    Parameters
    ----------
    data_dir
        Folder of the SQLite database.
    database_url
        Database to delete from.
    retention_days
        Days for which builds are kept after their end, but for the latest ten of each name;
        0 for ever. Default 90.
    dry_run
        Say what would be deleted, and delete nothing.
    """
    loaded = settings.load(
        {
            "data_dir": data_dir,
            "database_url": database_url,
            "retention_days": retention_days,
        },
        os.environ,
    )
    log.set_up(loaded.log_level)
    deleted = asyncio.run(_purge(loaded, dry_run))
    verb = "would delete" if dry_run else "deleted"
    print(f"{verb} {deleted.builds} builds, {deleted.events} events, {deleted.tasks} tasks")
    return 0


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command, with the arguments of this process by default.

    Exit codes: 2 if a setting can't be used, 3 if the server can't serve.
    """
    try:
        code = app(sys.argv[1:] if arguments is None else arguments, result_action="return_value")
    except SettingInvalid as error:
        code = _say(error, _USAGE)
    except StorageUnavailable as error:
        code = _say(_storage_fault(error.__cause__), _FAULT)
    except DBAPIError as error:
        code = _say(_storage_fault(error), _FAULT)
    except PortTaken as error:
        code = _say(f"{error}: is another server running there? Choose with --port", _FAULT)
    except (DatabaseNewer, OSError, ValueError) as error:
        code = _say(error, _FAULT)
    sys.exit(code)


def _storage_fault(cause: BaseException | None) -> str:
    """Return what is wrong with the database, in one line, and what to look at."""
    original = cause.orig if isinstance(cause, DBAPIError) else cause
    said = " ".join(str(original).split()) or type(original).__name__
    if isinstance(original, sqlite3.Error):
        return f"SQLite can't use the database file ({said}): check --data-dir and --database-url"
    if cause is not None and sqlstate(cause):
        return f"the database refuses ({said}): check --database-url"
    return f"the database does not answer ({said}): check that it runs, and --database-url"


def _say(message: object, code: int) -> int:
    print(f"stardag-server: {message}", file=sys.stderr)
    return code


async def _migrate(loaded: Settings) -> str:
    if loaded.database_url.get_backend_name() == "sqlite":
        folder = Path(str(loaded.database_url.database)).parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return await migrate(loaded.database_url)


async def _purge(loaded: Settings, dry_run: bool) -> Deleted:
    await _migrate(loaded)
    store = Store(loaded.database_url)
    policy = RetentionPolicy(loaded.retention_days)
    try:
        workspace = await store.workspace()
        if dry_run:
            return await store.retention.due(workspace, policy)
        return await Housekeeping(store, workspace, policy).delete()
    finally:
        await store.close()


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


@contextlib.asynccontextmanager
async def serving(loaded: Settings) -> AsyncGenerator[int]:
    """Serve during the block, on the port that it is given; then stop cleanly.

    What was delivered by then is committed and acknowledged, streams and
    watches end with SERVER_DRAINING, other calls get a few seconds to end.
    """
    token = ensure_token(loaded.token_file)
    _log.info("the database is at revision %s", await _migrate(loaded))
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
        yield await server.start(loaded.host, loaded.port)
        await server.announce_end()
        publishing.drain()
        watching.drain()
        await server.stop(_GRACE)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await store.close()


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
    print(f"listening on {address}")
    print(f"to track builds here: export STARDAG_SERVER={shlex.quote(address)}", flush=True)
    if loaded.token_file != settings.default_token_file():
        file = shlex.quote(str(loaded.token_file))
        print(f"                      export STARDAG_TOKEN_FILE={file}", flush=True)
