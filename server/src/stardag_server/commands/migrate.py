"""`stardag-server migrate`: the newest schema, and nothing more."""

import asyncio
from pathlib import Path

from stardag_server.commands.opened import command_settings
from stardag_server.store.migration import migrate as migrate_database


def migrate(*, data_dir: Path | None = None, database_url: str | None = None) -> int:
    """Bring the database to the newest schema, and end.

    Parameters
    ----------
    data_dir
        Folder of the SQLite database.
    database_url
        Database to migrate.
    """
    loaded = command_settings(data_dir, database_url)
    revision = asyncio.run(migrate_database(loaded.database_url))
    print(f"the database is at revision {revision}")
    return 0
