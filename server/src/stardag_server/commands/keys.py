"""`stardag-server keys`: keys, made on the server's own machine. The first one has to be."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import cyclopts

from stardag.v1.auth_pb2 import Scope
from stardag_server.auth.issuing import Issuing
from stardag_server.auth.secret_file import ensure_secret
from stardag_server.commands.opened import WorkspaceName, command_settings, opened_store
from stardag_server.store.queries import AnyRow
from stardag_server.store.store import DEFAULT_WORKSPACE

keys = cyclopts.App(name="keys", help="Make, list and end keys, in the server's database.")

_DAY_US = 86_400_000_000
_ALL = 1_000

_Result = TypeVar("_Result")

_Scope = Literal["ingest", "read", "admin", "operator"]
_Folder = Annotated[Path | None, cyclopts.Parameter(help="Folder of the server's data.")]
_Url = Annotated[str | None, cyclopts.Parameter(help="Database of the server.")]


@keys.command
def create(
    name: str,
    *,
    scope: list[_Scope],
    days: int = 0,
    workspace: WorkspaceName = DEFAULT_WORKSPACE,
    data_dir: _Folder = None,
    database_url: _Url = None,
) -> int:
    """Make a key, and print it, this once.

    Parameters
    ----------
    name
        What the key is for, for people.
    scope
        What it may do; once for each.
    days
        Days for which it works; 0 for ever.
    """
    scopes = [Scope.Value(f"SCOPE_{each.upper()}") for each in scope]

    async def make(issuing: Issuing, key: int) -> str:
        _, secret = await issuing.create(key, name, scopes, "command line", days * _DAY_US)
        return secret

    print(_run(make, workspace, data_dir, database_url))
    return 0


@keys.command(name="list")
def list_keys(
    *,
    workspace: WorkspaceName = DEFAULT_WORKSPACE,
    data_dir: _Folder = None,
    database_url: _Url = None,
) -> int:
    """List the keys that work, newest first."""

    async def read(issuing: Issuing, key: int) -> list[AnyRow]:
        return [*await issuing.keys.page(key, None, _ALL, show_ended=False)]

    for row in _run(read, workspace, data_dir, database_url):
        scopes = ",".join(Scope.Name(scope).removeprefix("SCOPE_").lower() for scope in row.scopes)
        until = _day(row.expire_time) if row.expire_time else "for ever"
        print(f"{row.key_id}  {scopes:24}  until {until:10}  {row.display_name}")
    return 0


@keys.command
def revoke(
    key_id: str,
    *,
    workspace: WorkspaceName = DEFAULT_WORKSPACE,
    data_dir: _Folder = None,
    database_url: _Url = None,
) -> int:
    """End a key, within 30 s on all servers.

    Parameters
    ----------
    key_id
        Id of the key: the part after `sdk_`.
    """

    async def end(issuing: Issuing, key: int) -> AnyRow:
        return await issuing.revoke(key, key_id)

    row = _run(end, workspace, data_dir, database_url)
    print(f"{row.key_id} was revoked")
    return 0


def _run(
    work: Callable[[Issuing, int], Awaitable[_Result]],
    workspace: str,
    data_dir: Path | None,
    database_url: str | None,
) -> _Result:
    # What is printed is to be read by programs, and logs are of no interest beside it.
    loaded = command_settings(data_dir, database_url, log_level="warning")

    async def run() -> _Result:
        async with opened_store(loaded) as store:
            key = await store.workspaces.named(workspace)
            return await work(Issuing(store.keys, ensure_secret(loaded.pepper_file)), key)

    return asyncio.run(run())


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1_000_000, UTC).date().isoformat()
