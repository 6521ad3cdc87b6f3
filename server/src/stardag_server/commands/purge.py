"""`stardag-server purge`: delete what is older than it is to be kept."""

import asyncio
import os
from pathlib import Path

from stardag_server import log, settings
from stardag_server.domain.retention import Deleted, RetentionPolicy
from stardag_server.housekeeping import Housekeeping
from stardag_server.settings import Settings
from stardag_server.store.migration import migrate
from stardag_server.store.store import Store


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


async def _purge(loaded: Settings, dry_run: bool) -> Deleted:
    await migrate(loaded.database_url)
    store = Store(loaded.database_url)
    policy = RetentionPolicy.of_days(loaded.retention_days)
    try:
        housekeeping = Housekeeping(store, policy)
        return await (housekeeping.due() if dry_run else housekeeping.delete())
    finally:
        await store.close()
