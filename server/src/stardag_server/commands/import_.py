"""`stardag-server import`: a build from the file of an export."""

import asyncio
from pathlib import Path
from uuid import UUID

from stardag_server.build_archive import import_build
from stardag_server.commands.opened import WorkspaceName, command_settings, opened_store
from stardag_server.settings import Settings
from stardag_server.store.store import DEFAULT_WORKSPACE


def import_(
    file: Path,
    *,
    workspace: WorkspaceName = DEFAULT_WORKSPACE,
    data_dir: Path | None = None,
    database_url: str | None = None,
) -> int:
    """Store the build that `stardag-server export` wrote to a file; all or none.

    The server may run meanwhile.

    Parameters
    ----------
    file
        File of the export.
    data_dir
        Folder of the SQLite database.
    database_url
        Database to write to.
    """
    loaded = command_settings(data_dir, database_url)
    build = asyncio.run(_import(loaded, workspace, file))
    print(f"build {build} is imported")
    return 0


async def _import(loaded: Settings, workspace: str, path: Path) -> UUID:
    with path.open("rb") as file:
        async with opened_store(loaded) as store:
            return await import_build(store, await store.workspaces.named(workspace), file)
