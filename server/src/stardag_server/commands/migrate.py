"""`stardag-server migrate`: the newest schema, and nothing more."""

import asyncio
import os
from pathlib import Path

from stardag_server import log, settings
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
    loaded = settings.load(locals(), os.environ)
    log.set_up(loaded.log_level)
    revision = asyncio.run(migrate_database(loaded.database_url))
    print(f"the database is at revision {revision}")
    return 0
