"""`stardag-server export`: one build as one file."""

import asyncio
from pathlib import Path
from uuid import UUID

from stardag_server.archive_file import write_part
from stardag_server.build_archive import export_build
from stardag_server.commands.opened import WorkspaceName, command_settings, opened_store
from stardag_server.settings import Settings
from stardag_server.store.store import DEFAULT_WORKSPACE


def export(
    build_id: UUID,
    *,
    output: Path,
    workspace: WorkspaceName = DEFAULT_WORKSPACE,
    data_dir: Path | None = None,
    database_url: str | None = None,
) -> int:
    """Write a build with its tasks, events and assets to a file, for `stardag-server import`.

    The server may run meanwhile. The file is there when it is whole.

    Parameters
    ----------
    build_id
        Build.
    output
        File to write; one that is there is replaced.
    data_dir
        Folder of the SQLite database.
    database_url
        Database to read from.
    """
    loaded = command_settings(data_dir, database_url)
    asyncio.run(_export(loaded, workspace, build_id, output))
    print(f"build {build_id} is in {output}")
    return 0


async def _export(loaded: Settings, workspace: str, build_id: UUID, output: Path) -> None:
    partial = output.with_name(f"{output.name}.partial")
    async with opened_store(loaded) as store:
        key = await store.workspaces.named(workspace)
        try:
            with partial.open("wb") as file:
                async for part in export_build(store, key, build_id):
                    write_part(file, part)
            partial.replace(output)
        finally:
            partial.unlink(missing_ok=True)
