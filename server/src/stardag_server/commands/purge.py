"""`stardag-server purge`: delete what is older than it is to be kept."""

import asyncio
from pathlib import Path

from stardag_server.commands.opened import command_settings, opened_store
from stardag_server.domain.retention import Deleted, RetentionPolicy
from stardag_server.housekeeping import Housekeeping
from stardag_server.settings import Settings


def purge(
    *,
    data_dir: Path | None = None,
    database_url: str | None = None,
    retention_days: int | None = None,
    workspace: str | None = None,
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
    workspace
        Name of the only workspace to delete in. Default: all.
    dry_run
        Say what would be deleted, and delete nothing.
    """
    loaded = command_settings(data_dir, database_url, retention_days=retention_days)
    deleted = asyncio.run(_purge(loaded, workspace, dry_run))
    verb = "would delete" if dry_run else "deleted"
    print(f"{verb} {deleted.builds} builds, {deleted.events} events, {deleted.tasks} tasks")
    return 0


async def _purge(loaded: Settings, workspace: str | None, dry_run: bool) -> Deleted:
    policy = RetentionPolicy.of_days(loaded.retention_days)
    async with opened_store(loaded) as store:
        key = await store.workspaces.named(workspace) if workspace else None
        housekeeping = Housekeeping(store, policy, key)
        return await (housekeeping.due() if dry_run else housekeeping.delete())
