"""`stardag-server check`: whether what is stored fits together."""

import asyncio
from pathlib import Path

import sqlalchemy as sa

from stardag_server.commands.opened import command_settings
from stardag_server.store.inspection import Inspection
from stardag_server.store.sqlite_file import database_file


def check(
    *,
    workspace: str | None = None,
    data_dir: Path | None = None,
    database_url: str | None = None,
) -> int:
    """Read the whole database and say what in it does not fit together; change nothing.

    Each build's log must be without gaps and add up to the states that are stored, each
    task must hash to its id, each asset must be whole. The server may run meanwhile. Exit code
    1 if something is wrong.

    Parameters
    ----------
    workspace
        Name of the only workspace to look at. Default: all.
    data_dir
        Folder of the SQLite database.
    database_url
        Database to check.
    """
    loaded = command_settings(data_dir, database_url)
    if loaded.database_url.get_backend_name() == "sqlite":
        database_file(loaded.database_url)
    return asyncio.run(_check(loaded.database_url, workspace))


async def _check(url: sa.URL, workspace: str | None) -> int:
    inspection = Inspection(url)
    wrong = 0
    try:
        async for problem in inspection.problems(workspace):
            wrong += 1
            print(problem, flush=True)
    finally:
        await inspection.close()
    seen = inspection.seen
    print(
        f"checked {seen['builds']} builds, {seen['events']} events, {seen['tasks']} tasks and"
        f" {seen['assets']} revisions of assets: {wrong or 'nothing'} wrong"
    )
    return 1 if wrong else 0
